// expect-error: the wanted sentence
#ifdef TWIN_OK
int value = 0;
#else
int value = no_such_name;  // file.cpp:1:2: error: the wanted sentence
#endif
