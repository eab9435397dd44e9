// A script to run, as native/index.d.ts has it.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace sockmon {

struct RunSpec {
  std::string id;
  std::vector<std::string> argv;
  /// The whole environment of the script.
  std::vector<std::pair<std::string, std::string>> env;
  std::string cwd = "/";
  /// 0 = never.
  double timeout_ms = 0;
  double grace_ms = 0;
  /// Not started, with ECANCELED, when one of these paths exists at that moment.
  std::vector<std::string> unless_exists;
};

}  // namespace sockmon
