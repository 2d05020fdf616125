/* unresolved.c - a plugin that calls what nobody has. */
void nobody_has_this(void);

__attribute__((visibility("default"))) void unresolved_call(void);

void unresolved_call(void)
{
	nobody_has_this();
}
