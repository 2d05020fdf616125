/* function.c - the symbol is there, and is no descriptor. */
__attribute__((visibility("default"))) void patchbay_plugin(void);

void patchbay_plugin(void)
{
}
