// Starts a thread that no signal of the process is ever delivered to.
#pragma once
#include <pthread.h>

namespace sockmon {

/// `name`: at most 15 bytes. Its stack has 256 KB. Throws Error.
pthread_t start_thread(const char* name, void* (*main)(void*), void* argument);

}  // namespace sockmon
