#include "base/thread.h"

#include <signal.h>

#include "base/error.h"

namespace sockmon {
namespace {

constexpr size_t kStackSize = 256 << 10;

}  // namespace

pthread_t start_thread(const char* name, void* (*main)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  // Blocked before the thread exists, which inherits that.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int error = pthread_create(&thread, &attributes, main, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw Error::from_errno(error, std::string("Cannot start the thread ") + name);
  pthread_setname_np(thread, name);
  return thread;
}

}  // namespace sockmon
