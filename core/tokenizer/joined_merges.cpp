#include "core/tokenizer/joined_merges.h"

#include <algorithm>
#include <functional>

#include "core/tokenizer/definition.h"

namespace phiscope {
namespace {

// Up to here scanning all ranks is as fast as a heap (bpe_model.cpp has the same limit for pairs).
constexpr size_t kScanParts = 48;

}  // namespace

uint32_t JoinedMerges::rank_of(std::string_view joined) const {
  if (joined.size() > longest_) return kNoRank;
  const int32_t id = pieces_->find(joined);
  return id < 0 ? kNoRank : (*ranks_)[static_cast<size_t>(id)];
}

void JoinedMerges::merge(std::string_view word, Scratch& scratch) const {
  if (scratch.begins.size() < 2) return;
  if (scratch.begins.size() <= kScanParts) {
    merge_short(word, scratch);
  } else {
    merge_long(word, scratch);
  }
}

void JoinedMerges::merge_short(std::string_view word, Scratch& scratch) const {
  auto& begins = scratch.begins;
  auto& ranks = scratch.ranks;  // of the join of parts i and i + 1
  const auto rank_at = [&](size_t i) {
    const size_t end = i + 2 < begins.size() ? begins[i + 2] : word.size();
    return rank_of(word.substr(begins[i], end - begins[i]));
  };
  ranks.resize(begins.size() - 1);
  for (size_t i = 0; i < ranks.size(); ++i) ranks[i] = rank_at(i);
  while (!ranks.empty()) {
    const auto lowest = std::min_element(ranks.begin(), ranks.end());
    if (*lowest == kNoRank) return;
    const auto at = static_cast<size_t>(lowest - ranks.begin());
    begins.erase(begins.begin() + static_cast<ptrdiff_t>(at) + 1);
    ranks.erase(lowest);
    if (at > 0) ranks[at - 1] = rank_at(at - 1);
    if (at < ranks.size()) ranks[at] = rank_at(at);
  }
}

// n log n for n parts: a heap of (rank, part) over a linked list; entries whose join has changed are skipped when they come up.
void JoinedMerges::merge_long(std::string_view word, Scratch& scratch) const {
  auto& [begins, ranks, next, previous, heap] = scratch;
  constexpr uint32_t kGone = ~uint32_t{0};
  const size_t count = begins.size();
  next.resize(count);
  previous.resize(count);
  ranks.assign(count, kNoRank);  // of the join that starts with this part
  heap.clear();
  const auto end_of = [&](size_t part) { return next[part] < 0 ? word.size() : begins[static_cast<size_t>(next[part])]; };
  const auto update = [&](size_t at) {
    ranks[at] = next[at] < 0 ? kNoRank : rank_of(word.substr(begins[at], end_of(static_cast<size_t>(next[at])) - begins[at]));
    if (ranks[at] == kNoRank) return;
    heap.push_back(static_cast<uint64_t>(ranks[at]) << 32 | at);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  for (size_t i = 0; i < count; ++i) {
    previous[i] = static_cast<int32_t>(i) - 1;
    next[i] = i + 1 < count ? static_cast<int32_t>(i) + 1 : -1;
  }
  for (size_t i = 0; i < count; ++i) update(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto rank = static_cast<uint32_t>(heap.back() >> 32);
    const auto at = static_cast<size_t>(heap.back() & 0xffffffffU);
    heap.pop_back();
    if (ranks[at] != rank) continue;
    const auto right = static_cast<size_t>(next[at]);
    next[at] = next[right];
    if (next[at] >= 0) previous[static_cast<size_t>(next[at])] = static_cast<int32_t>(at);
    ranks[right] = kNoRank;
    begins[right] = kGone;
    update(at);
    if (previous[at] >= 0) update(static_cast<size_t>(previous[at]));
  }
  std::erase(begins, kGone);
}

}  // namespace phiscope
