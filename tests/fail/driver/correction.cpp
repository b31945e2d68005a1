// expect-error: the wanted message
static_assert(false, "the wanted message");
