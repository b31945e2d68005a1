// expect-error: the wanted message
#ifndef CORRECTED
#warning the wanted message
#endif
