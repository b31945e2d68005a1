# cmake -DFILE=... -P checksum.cmake: writes the SHA-256 of FILE into FILE.sum.
file(SHA256 ${FILE} sum)
file(WRITE ${FILE}.sum ${sum})
