/* none.c - a shared object that is no plugin. */
int none_of_it(void);

int none_of_it(void)
{
	return 0;
}
