#pragma once
// Patterns of tokenizer files (Oniguruma syntax) by PCRE2 with JIT, UTF and Unicode properties.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

namespace phiscope {

class RegexScratch;

/// Immutable; thread-safe.
class Regex {
 public:
  /// Errors: unsupported, naming `where` and the construct, for syntax that the two libraries read differently; invalid_file when it has no meaning.
  static Result<Regex> compile(std::string_view pattern, std::string_view where);

  struct Match {
    size_t begin = 0, end = 0;
  };
  /// First match at or after `from` in well-formed UTF-8. A pattern that exceeds the step limit matches nothing more in this text.
  std::optional<Match> next(std::string_view text, size_t from, RegexScratch& scratch) const;

 private:
  friend class RegexScratch;
  std::shared_ptr<const pcre2_real_code_8> code_;
};

/// Buffers of one thread for one Regex.
class RegexScratch {
 public:
  explicit RegexScratch(const Regex& regex);

 private:
  friend class Regex;
  std::shared_ptr<pcre2_real_match_data_8> data_;
};

/// Oniguruma's syntax in PCRE2's words.
Result<std::string> translate_regex(std::string_view pattern, std::string_view where);

}  // namespace phiscope
