// expect-error: sizes differ; write the same twice
template <int A, int B>
struct check {
  static_assert(A == B, "sizes differ; write the same twice");
};

#ifdef CORRECTED
check<1, 1> value;
#else
check<1, 2> value;
#endif
