#include "core/tokenizer/splitter.h"

#include <algorithm>

namespace phiscope {
namespace {

struct Span {
  size_t begin, end;
  bool is_match;
};

// The four merging rules as folds over matches and gaps, as in the publisher's library (NormalizedString::split).
std::vector<Span> merge_spans(std::vector<Span> spans, SplitBehavior behavior) {
  const bool backwards = behavior == SplitBehavior::merged_with_next;
  if (backwards) std::reverse(spans.begin(), spans.end());
  std::vector<Span> merged;
  bool previous = false;
  for (const Span& span : spans) {
    const bool joins = behavior == SplitBehavior::contiguous ? span.is_match == previous : span.is_match && !previous;
    if (joins && !merged.empty()) {
      (backwards ? merged.back().begin : merged.back().end) = backwards ? span.begin : span.end;
    } else {
      merged.push_back(span);
    }
    previous = span.is_match;
  }
  if (backwards) std::reverse(merged.begin(), merged.end());
  return merged;
}

}  // namespace

Result<Splitter> Splitter::create(const SplitStep& step, std::string_view where) {
  PHISCOPE_ASSIGN(Regex regex, Regex::compile(step.regex, where));
  return Splitter(std::move(regex), step);
}

Splitter::Splitter(Regex regex, const SplitStep& step) : regex_(std::move(regex)), step_(step) {
  const bool removes = step.behavior == SplitBehavior::removed;
  keeps_gaps_ = !removes || !step.invert;
  keeps_matches_ = !removes || step.invert;
  merges_pieces_ = !removes && step.behavior != SplitBehavior::isolated;
}

size_t Splitter::after_character(std::string_view text, size_t position) {
  do {
    ++position;
  } while (position < text.size() && (static_cast<unsigned char>(text[position]) & 0xc0) == 0x80);
  return position;
}

std::vector<std::string_view> Splitter::merged_pieces(std::string_view text, RegexScratch& scratch) const {
  std::vector<Span> spans;
  size_t done = 0, from = 0;
  while (from < text.size()) {
    const auto match = regex_.next(text, from, scratch);
    if (!match) break;
    if (match->begin > done) spans.push_back({done, match->begin, step_.invert});
    if (match->end > match->begin || match->begin > done) spans.push_back({match->begin, match->end, !step_.invert});
    done = match->end;
    from = match->end > match->begin ? match->end : after_character(text, match->end);
  }
  if (done < text.size()) spans.push_back({done, text.size(), step_.invert});
  std::vector<std::string_view> pieces;
  for (const Span& span : merge_spans(std::move(spans), step_.behavior)) {
    if (span.end > span.begin) pieces.push_back(text.substr(span.begin, span.end - span.begin));
  }
  return pieces;
}

}  // namespace phiscope
