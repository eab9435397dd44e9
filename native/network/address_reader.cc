#include "network/address_reader.h"

#include <net/if.h>
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/thread.h"
#include "network/netlink.h"

namespace sockmon {
namespace {

std::vector<std::string> running_addresses(const NetworkStore& store) {
  std::vector<const Link*> links;
  for (const auto& [index, link] : store.links()) {
    if (link.up() && (link.flags & IFF_RUNNING) != 0 && (link.flags & IFF_LOOPBACK) == 0) links.push_back(&link);
  }
  std::sort(links.begin(), links.end(), [](const Link* a, const Link* b) { return a->index < b->index; });
  std::vector<std::string> texts;
  for (const Link* link : links) {
    for (const LinkAddress& each : store.addresses_of(link->index)) texts.push_back(link->name + " " + each.text());
  }
  return texts;
}

}  // namespace

/// Kept by the reading thread too.
struct AddressReader::Shared {
  explicit Shared(Sys& sys) : sys(sys) {}

  Sys& sys;
  std::mutex mutex;
  std::condition_variable ended;
  bool is_reading = false;
  std::vector<std::string> texts;
  std::string code, detail;
};

AddressReader::AddressReader(Sys& sys) : shared_(std::make_shared<Shared>(sys)) {}

void* AddressReader::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<Shared>> owned(static_cast<std::shared_ptr<Shared>*>(argument));
  Shared& shared = **owned;
  std::vector<std::string> texts;
  std::string code, detail;
  try {
    texts = running_addresses(read_addresses(shared.sys));
  } catch (const Error& error) {
    code = error.code();
    detail = error.what();
  }
  const std::lock_guard lock(shared.mutex);
  shared.texts = std::move(texts);
  shared.code = std::move(code);
  shared.detail = std::move(detail);
  shared.is_reading = false;
  shared.ended.notify_all();
  return nullptr;
}

std::vector<std::string> AddressReader::read(std::chrono::milliseconds patience) {
  std::unique_lock lock(shared_->mutex);
  if (shared_->is_reading) throw Error("ETIMEDOUT", "The kernel has not answered the last question for addresses yet");
  auto self = std::make_unique<std::shared_ptr<Shared>>(shared_);
  pthread_detach(start_thread("sockmon-address", thread_main, self.get()));
  [[maybe_unused]] auto* owned_by_the_thread = self.release();
  shared_->is_reading = true;
  if (!shared_->ended.wait_for(lock, patience, [this] { return !shared_->is_reading; }))
    throw Error("ETIMEDOUT", "The kernel has not told the addresses in time");
  if (!shared_->code.empty()) throw Error(shared_->code, shared_->detail);
  return std::move(shared_->texts);
}

}  // namespace sockmon
