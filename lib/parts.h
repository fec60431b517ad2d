/* The temporary files of libxlsxwriter, watched. It opens one for each sheet with fdopen() and does not
 * look whether it could write to it (and rewind() forgets errors): a full disk would give a workbook that
 * lacks a part. A program with this unit gets its own fdopen(), whose files remember. */
#ifndef KICK_PARTS_H
#define KICK_PARTS_H

/* errno of the first read or write of such a file that failed, or 0. */
int parts_lost(void);

#endif
