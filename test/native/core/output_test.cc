#include "check.h"
#include "runs/output_tail.h"

namespace sockmon {
namespace {

const std::string kReplacement = "\xef\xbf\xbd";

void the_last_bytes_are_kept() {
  OutputTail tail(8);
  tail.append("abc");
  CHECK(tail.text() == "abc" && !tail.truncated());
  tail.append("defgh");
  CHECK(tail.text() == "abcdefgh" && !tail.truncated());
  tail.append("i");
  CHECK(tail.text() == "bcdefghi" && tail.truncated());
  for (int i = 0; i < 100; i++) tail.append("0123");
  CHECK(tail.text() == "01230123");
  tail.append("a very long line at once");
  CHECK(tail.text() == " at once");
}

void a_cut_character_is_left_out() {
  OutputTail tail(4);
  tail.append("x\xe2\x82\xac" "yz");  // the euro sign loses its first byte
  CHECK(tail.truncated() && tail.text() == "yz");
}

void text_that_is_utf8_stays_as_it_is() {
  const std::string text = "aä€😀\t\n";
  CHECK(to_utf8(text) == text);
}

void anything_else_is_replaced() {
  CHECK(to_utf8(std::string("a\0b", 3)) == "a" + kReplacement + "b");
  CHECK(to_utf8("\xff") == kReplacement);
  CHECK(to_utf8("\xc0\x80") == kReplacement + kReplacement);                    // overlong
  CHECK(to_utf8("\xe0\x80\x80") == kReplacement + kReplacement + kReplacement);  // overlong
  CHECK(to_utf8("\xed\xa0\x80") == kReplacement + kReplacement + kReplacement);  // a surrogate
  CHECK(to_utf8("\xf4\x90\x80\x80").size() == 4 * 3);                            // beyond U+10FFFF
  CHECK(to_utf8("\xe2\x82") == kReplacement + kReplacement);                     // cut short
  CHECK(to_utf8("") == "");
}

}  // namespace

void test_output() {
  the_last_bytes_are_kept();
  a_cut_character_is_left_out();
  text_that_is_utf8_stays_as_it_is();
  anything_else_is_replaced();
}

}  // namespace sockmon
