/* short.c - the symbol is data, but shorter than it says. */
#include <stdint.h>

__attribute__((visibility("default"))) extern const uint32_t patchbay_plugin;
const uint32_t patchbay_plugin = 400;
