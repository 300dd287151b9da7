// Oniguruma's syntax in PCRE2's words. What both read alike is copied, what can be said in the other's words is translated, and the rest is
// refused: a pattern that is split differently would give other ids without a sign.

#include <cctype>

#include "core/tokenizer/regex.h"

namespace phiscope {
namespace {

// Unicode White_Space; PCRE2's \s has U+180E as well.
constexpr std::string_view kSpace = R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
// Word of Unicode TR 18: Alphabetic (letters, letter numbers, circled letters), marks, decimal digits, connectors, joiners.
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";

// Escapes that mean the same to both: control characters, properties and decimal digits by Unicode. Punctuation is itself everywhere.
constexpr std::string_view kSameEscapes = "rntfaepPdDx";

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view where) : pattern_(pattern), where_(where) {}

  Result<std::string> run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        PHISCOPE_TRY(escape());
      } else if (in_class_) {
        PHISCOPE_TRY(class_character(c));
      } else {
        PHISCOPE_TRY(plain_character(c));
      }
    }
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> refuse(std::string_view construct) const {
    return fail(ErrorCode::unsupported, "{}: the pattern uses {} at byte {}, which is not supported", where_, construct, at_);
  }

  Status escape() {
    if (at_ + 1 == pattern_.size()) return refuse("a backslash at its end");
    const char c = pattern_[at_ + 1];
    const bool negated = c == 'S' || c == 'W';
    if (c == 's' || c == 'S' || c == 'w' || c == 'W') {
      if (negated && in_class_) return refuse(std::string("\\") + c + " in a class");
      const std::string_view set = c == 's' || c == 'S' ? kSpace : kWord;
      out_ += in_class_ ? std::string(set) : std::string(negated ? "[^" : "[").append(set) + "]";
    } else if (kSameEscapes.find(c) != std::string_view::npos || (c > ' ' && c < 0x7f && std::isalnum(static_cast<unsigned char>(c)) == 0)) {
      out_ += {'\\', c};
      if (c == 'p' || c == 'P' || c == 'x') {
        PHISCOPE_TRY(braces());
        class_begins_ = false;
        return {};
      }
    } else {
      return refuse(std::string("\\") + c);
    }
    at_ += 2;
    class_begins_ = false;
    return {};
  }

  // The {name} of a property or the {digits} of a code: not a repetition.
  Status braces() {
    if (pattern_.substr(at_ + 2, 1) != "{") return refuse(std::string(pattern_.substr(at_, 2)) + " without braces");
    const size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos) return refuse("{ without }");
    out_ += pattern_.substr(at_ + 2, end - at_ - 1);
    at_ = end + 1;
    return {};
  }

  Status class_character(char c) {
    if (c == '[') return refuse("a class or a POSIX name inside a class");
    if (pattern_.substr(at_, 2) == "&&") return refuse("&& in a class");
    if (c == ']' && class_begins_) return refuse("an unescaped ] at the start of a class");
    if (c == ']') in_class_ = false;
    class_begins_ = false;
    out_ += c;
    ++at_;
    return {};
  }

  Status plain_character(char c) {
    if (c == '[') {
      in_class_ = class_begins_ = true;
      out_ += c;
      if (pattern_.substr(++at_, 1) == "^") {
        out_ += '^';
        ++at_;
      }
      return {};
    }
    if (pattern_.substr(at_, 2) == "}+") return refuse("}+");
    if (pattern_.substr(at_, 2) == "(*") return refuse("(*");
    if (c == '(' && pattern_.substr(at_, 2) == "(?") PHISCOPE_TRY(group());
    out_ += c;
    ++at_;
    return {};
  }

  Status group() const {
    for (const std::string_view known : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"}) {
      if (pattern_.substr(at_, known.size()) == known) return {};
    }
    return refuse("a group of the kind " + std::string(pattern_.substr(at_, 4)));
  }

  std::string_view pattern_, where_;
  size_t at_ = 0;
  bool in_class_ = false, class_begins_ = false;
  std::string out_;
};

}  // namespace

Result<std::string> translate_regex(std::string_view pattern, std::string_view where) { return Translator(pattern, where).run(); }

}  // namespace phiscope
