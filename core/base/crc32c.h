/* crc32c.h - CRC-32C (RFC 3720 section 12.1), by the CPU's instruction where there is one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Begin with crc 0; pass the result on to go on over further bytes. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The same, never with the instruction: what other CPUs run, and for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
