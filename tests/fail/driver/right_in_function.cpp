// expect-error: called with a negative number
// The assertion is in the body of a function template: the compiler must get as far as instantiating it.
template <int A>
int call() {
  static_assert(A >= 0, "called with a negative number");
  return A;
}

#ifdef CORRECTED
int value = call<1>();
#else
int value = call<-1>();
#endif
