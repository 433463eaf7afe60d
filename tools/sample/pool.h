// pool: the renderer's helper threads.
#ifndef BRIG_TOOLS_SAMPLE_POOL_H
#define BRIG_TOOLS_SAMPLE_POOL_H

#include <stdbool.h>

// Runs one part of a piece of work; parts are counted from 0.
typedef void pool_work(void *context, unsigned part, unsigned part_count);

// Starts `helpers` threads. Returns: false if one could not be started.
bool pool_start(unsigned helpers);
// Runs all parts, one of them in the calling thread, and returns when they are done.
void pool_run(pool_work *work, void *context);

#endif
