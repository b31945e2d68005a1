// expect-error: the wanted sentence
#ifndef TWIN_OK
#warning the wanted sentence
#endif
