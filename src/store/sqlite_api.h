/* sqlite_api.h -- the only way to SQLite's own header.
 *
 * The files of the SQLite store are compiled twice: for libves, which links
 * libsqlite3, and for the loadable extension, which calls SQLite through the
 * pointers its host hands over and links no libsqlite3.
 */
#ifndef VES_STORE_SQLITE_API_H
#define VES_STORE_SQLITE_API_H

#ifdef VES_SQLITE_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#endif
