// expect-error: the wanted sentence
static_assert(false, "the wanted sentence");
