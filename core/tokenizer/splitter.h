#pragma once
// Pre-tokenization: cuts a text into the words that BPE works on.

#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tokenizer/definition.h"
#include "core/tokenizer/regex.h"

namespace phiscope {

/// One Split of the pre-tokenizer. Immutable; thread-safe.
class Splitter {
 public:
  static Result<Splitter> create(const SplitStep& step, std::string_view where);

  RegexScratch scratch() const { return RegexScratch(regex_); }

  /// Calls `sink(std::string_view)` for every non-empty piece, in order.
  template <class Sink>
  void split(std::string_view text, RegexScratch& scratch, Sink&& sink) const {
    if (merges_pieces_) {
      for (const std::string_view piece : merged_pieces(text, scratch)) sink(piece);
      return;
    }
    size_t done = 0, from = 0;
    while (from < text.size()) {
      const auto match = regex_.next(text, from, scratch);
      if (!match) break;
      if (keeps_gaps_ && match->begin > done) sink(text.substr(done, match->begin - done));
      if (keeps_matches_ && match->end > match->begin) sink(text.substr(match->begin, match->end - match->begin));
      done = match->end;
      from = match->end > match->begin ? match->end : after_character(text, match->end);
    }
    if (keeps_gaps_ && done < text.size()) sink(text.substr(done));
  }

 private:
  Splitter(Regex regex, const SplitStep& step);
  static size_t after_character(std::string_view text, size_t position);
  std::vector<std::string_view> merged_pieces(std::string_view text, RegexScratch& scratch) const;

  Regex regex_;
  SplitStep step_;
  bool keeps_gaps_, keeps_matches_, merges_pieces_;
};

}  // namespace phiscope
