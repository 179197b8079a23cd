/* assert.h -- checks for our own mistakes.  Always compiled in. */
#ifndef VES_BASE_ASSERT_H
#define VES_BASE_ASSERT_H

/* Tells the panic handler (ves.h) and aborts. */
_Noreturn void ves_panic(const char *what, const char *file, int line);

#define VES_ASSERT(cond) \
    ((cond) ? (void)0 : ves_panic(#cond, __FILE__, __LINE__))

#endif
