/* SPDX-License-Identifier: GPL-2.0 */
/* A picture that is drawn again and again, on a terminal or, one after the other, not. */
#ifndef SCREEN_H
#define SCREEN_H

#include "tool.h"

#define KEY_NONE	0	/* time is up, or the window has another size */
#define KEY_END		(-1)	/* a signal wants this to end */

void screen_open(void);
bool screen_is_terminal(void);
size_t screen_width(void);
size_t screen_height(void);
void screen_draw(const char *picture, size_t size);
int screen_key(int64_t timeout);
void screen_close(void);

#endif /* SCREEN_H */
