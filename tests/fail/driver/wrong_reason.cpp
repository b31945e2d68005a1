// expect-error: the wanted message
#ifdef CORRECTED
int value = 0;
#else
int value = no_such_name;  // file.cpp:1:2: error: the wanted message
#endif
