#include "core/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

namespace phiscope {
namespace {

// The known patterns have up to 400 bytes.
constexpr size_t kMaxPatternBytes = 16384;

std::string error_text(int code) {
  std::array<PCRE2_UCHAR, 128> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern, std::string_view where) {
  if (pattern.size() > kMaxPatternBytes) {
    return fail(ErrorCode::unsupported, "{}: the pattern has {} bytes; {} are supported", where, pattern.size(), kMaxPatternBytes);
  }
  PHISCOPE_ASSIGN(const std::string translated, translate_regex(pattern, where));
  int error = 0;
  PCRE2_SIZE offset = 0;
  // MULTILINE: ^ and $ of Oniguruma's Ruby syntax stand at every line.
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code == nullptr) {
    return fail(ErrorCode::invalid_file, "{}: the pattern cannot be read near its byte {}: {}", where, offset, error_text(error));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without JIT it only runs slower
  Regex regex;
  regex.code_ = std::shared_ptr<const pcre2_real_code_8>(code, [](const pcre2_code* p) { pcre2_code_free(const_cast<pcre2_code*>(p)); });
  return regex;
}

std::optional<Regex::Match> Regex::next(std::string_view text, size_t from, RegexScratch& scratch) const {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  // The text is known to be well-formed; checking it on every call would make a long text quadratic.
  int rc = pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, scratch.data_.get(), nullptr);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
    rc = pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch.data_.get(), nullptr);
  }
  if (rc < 0) return std::nullopt;
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(scratch.data_.get());
  return Match{span[0], span[1]};
}

RegexScratch::RegexScratch(const Regex& regex)
    : data_(pcre2_match_data_create_from_pattern(regex.code_.get(), nullptr), [](pcre2_match_data* p) { pcre2_match_data_free(p); }) {}

}  // namespace phiscope
