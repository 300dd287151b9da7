#include "core/tokenizer/bpe_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>

#include "core/tokenizer/byte_alphabet.h"

namespace phiscope {
namespace {

// Up to here the pair to merge is found by scanning: no heap, no links, everything in L1. The two are equally fast at about 50 symbols.
constexpr size_t kScanSymbols = 48;
// Longer words are rare and would fill the memory with texts that do not come again.
constexpr size_t kRememberedBytes = 64;
constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// The finalizer of splitmix64: neighbouring ids spread over the whole table.
size_t mix(uint64_t key) {
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<size_t>(key ^ (key >> 31));
}

size_t character_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

bool joins_across_space_mark(const std::string& left, const std::string& right) {
  return right.starts_with(kSpaceMark) && !left.ends_with(kSpaceMark);
}

}  // namespace

BpeModel::Scratch::Scratch(size_t text_bytes) : entries(std::bit_ceil(std::clamp<size_t>(text_bytes / 8, 64, 1U << 16))) {}

BpeModel::BpeModel(const TokenizerDefinition& definition)
    : byte_level_(definition.byte_level),
      fuse_unk_(definition.fuse_unk),
      ignore_merges_(definition.ignore_merges),
      by_joined_text_(!definition.piece_ranks.empty()),
      unk_(definition.unk),
      surfaces_(definition.pieces),
      by_surface_(surfaces_, surfaces_.size()),
      piece_ranks_(definition.piece_ranks) {
  fallback_ids_.fill(-1);
  for (size_t id = 0; definition.byte_fallback && id < surfaces_.size(); ++id) {
    const auto byte = fallback_byte(surfaces_[id]);
    if (!byte || surfaces_[id] != fmt::format("<0x{:02X}>", static_cast<unsigned char>(*byte))) continue;
    fallback_ids_[static_cast<unsigned char>(*byte)] = static_cast<int32_t>(id);
  }
  add_pieces();
  for (size_t byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    byte_ids_[byte] = by_surface_.find({&character, 1});
  }
  if (by_joined_text_) {
    size_t longest = 0;
    for (const std::string& surface : surfaces_) longest = std::max(longest, surface.size());
    joined_.emplace(by_surface_, piece_ranks_, longest);
    cuts_at_space_mark_ = !byte_level_ && !ignore_merges_ && by_surface_.find(kSpaceMark) >= 0 && cuts_joins_at_space_mark();
  } else {
    cuts_at_space_mark_ = !byte_level_ && !ignore_merges_ && by_surface_.find(kSpaceMark) >= 0;
    add_merges(definition);
  }
}

// Surfaces of byte-level pieces are bytes; what matches no text has none.
void BpeModel::add_pieces() {
  for (size_t id = 0; id < surfaces_.size(); ++id) {
    std::string& surface = surfaces_[id];
    if (byte_level_) surface = bytes_of_spelling(surface).value_or("");
    if (by_joined_text_ && piece_ranks_[id] == kNoRank) surface.clear();
    if (!surface.empty()) by_surface_.insert(static_cast<int32_t>(id));
  }
}

void BpeModel::add_merges(const TokenizerDefinition& definition) {
  pairs_.resize(std::bit_ceil(2 * definition.merges.size() + 2));
  for (size_t rank = 0; rank < definition.merges.size(); ++rank) {
    const auto [left, right, result] = definition.merges[rank];
    const uint64_t key = pair_key(left, right);
    size_t slot = mix(key) & (pairs_.size() - 1);
    while (pairs_[slot].key != kFree && pairs_[slot].key != key) slot = (slot + 1) & (pairs_.size() - 1);
    pairs_[slot] = {key, static_cast<uint32_t>(rank), result};  // a pair listed twice has its last rank, as in the publisher's library
    if (joins_across_space_mark(definition.pieces[static_cast<size_t>(left)], definition.pieces[static_cast<size_t>(right)])) {
      cuts_at_space_mark_ = false;
    }
  }
}

// True when "▁" stands in pieces only at their start: then no join crosses from another character to a "▁".
bool BpeModel::cuts_joins_at_space_mark() const {
  return std::all_of(surfaces_.begin(), surfaces_.end(), [](const std::string& surface) {
    size_t body = 0;
    while (surface.compare(body, kSpaceMark.size(), kSpaceMark) == 0) body += kSpaceMark.size();
    return surface.find(kSpaceMark, body) == std::string::npos;
  });
}

const BpeModel::Pair* BpeModel::find_pair(int32_t left, int32_t right) const {
  const uint64_t key = pair_key(left, right);
  const size_t mask = pairs_.size() - 1;
  for (size_t slot = mix(key) & mask; pairs_[slot].key != kFree; slot = (slot + 1) & mask) {
    if (pairs_[slot].key == key) return &pairs_[slot];
  }
  return nullptr;
}

uint32_t BpeModel::rank_of(int32_t left, int32_t right) const {
  const Pair* pair = find_pair(left, right);
  return pair == nullptr ? kNoRank : pair->rank;
}

void BpeModel::encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const {
  if (ignore_merges_) {
    if (const int32_t id = by_surface_.find(word); id >= 0) return out.push_back(id);
  }
  if (word.size() > kRememberedBytes || word.empty()) {
    compute(word, scratch);
    out.insert(out.end(), scratch.symbols.begin(), scratch.symbols.end());
    return;
  }
  const uint64_t hash = piece_hash(word);
  const size_t mask = scratch.entries.size() - 1;
  size_t slot = static_cast<size_t>(hash >> 32) & mask;
  const auto check = static_cast<uint32_t>(hash);
  for (; scratch.entries[slot].text_size != 0; slot = (slot + 1) & mask) {
    const Scratch::Entry& entry = scratch.entries[slot];
    if (entry.hash != check || std::string_view(scratch.texts).substr(entry.text, entry.text_size) != word) continue;
    const auto first = scratch.ids.begin() + entry.ids;
    out.insert(out.end(), first, first + entry.ids_size);
    return;
  }
  compute(word, scratch);
  out.insert(out.end(), scratch.symbols.begin(), scratch.symbols.end());
  if (2 * scratch.used >= scratch.entries.size()) return;
  scratch.entries[slot] = {check, static_cast<uint32_t>(scratch.texts.size()), static_cast<uint32_t>(word.size()),
                           static_cast<uint32_t>(scratch.ids.size()), static_cast<uint32_t>(scratch.symbols.size())};
  scratch.texts += word;
  scratch.ids.insert(scratch.ids.end(), scratch.symbols.begin(), scratch.symbols.end());
  ++scratch.used;
}

void BpeModel::encode_unsplit(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const {
  if (!cuts_at_space_mark_) return encode_word(text, scratch, out);
  size_t begin = 0;
  bool after_mark = true;
  for (size_t i = 0; i < text.size();) {
    const bool mark = text[i] == kSpaceMark[0] && text.substr(i, kSpaceMark.size()) == kSpaceMark;
    if (mark && !after_mark) {
      encode_word(text.substr(begin, i - begin), scratch, out);
      begin = i;
    }
    after_mark = mark;
    i += mark ? kSpaceMark.size() : 1;
  }
  if (begin < text.size()) encode_word(text.substr(begin), scratch, out);
}

void BpeModel::compute(std::string_view word, Scratch& scratch) const {
  scratch.symbols.clear();
  if (by_joined_text_) return compute_joined(word, scratch);
  if (byte_level_) {
    start_bytes(word, scratch);
  } else {
    start_characters(word, scratch);
  }
  if (scratch.symbols.size() < 2) return;
  if (scratch.symbols.size() <= kScanSymbols) {
    merge_short(scratch);
  } else {
    merge_long(scratch);
  }
}

void BpeModel::compute_joined(std::string_view word, Scratch& scratch) const {
  std::vector<uint32_t>& begins = scratch.joined.begins;
  begins.clear();
  for (size_t i = 0; i < word.size(); i += byte_level_ ? 1 : character_bytes(word[i])) begins.push_back(static_cast<uint32_t>(i));
  joined_->merge(word, scratch.joined);
  bool after_unk = false;
  for (size_t i = 0; i < begins.size(); ++i) {
    const size_t end = i + 1 < begins.size() ? begins[i + 1] : word.size();
    const std::string_view part = word.substr(begins[i], end - begins[i]);
    const int32_t id = by_surface_.find(part);
    if (id >= 0) {
      scratch.symbols.push_back(id);
    } else if (!add_fallback_bytes(part, scratch.symbols)) {
      if (unk_ >= 0 && !(after_unk && fuse_unk_)) scratch.symbols.push_back(unk_);
      after_unk = true;
      continue;
    }
    after_unk = false;
  }
}

// A byte without a token is left out, as the publisher's library does when there is no unknown token.
void BpeModel::start_bytes(std::string_view word, Scratch& scratch) const {
  bool after_unk = false;
  for (const char byte : word) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
    if (id >= 0) {
      scratch.symbols.push_back(id);
    } else if (unk_ >= 0 && !(after_unk && fuse_unk_)) {
      scratch.symbols.push_back(unk_);
    }
    after_unk = id < 0;
  }
}

void BpeModel::start_characters(std::string_view word, Scratch& scratch) const {
  bool after_unk = false;
  for (size_t i = 0; i < word.size();) {
    const size_t size = character_bytes(word[i]);
    const std::string_view character = word.substr(i, size);
    i += size;
    const int32_t id = size == 1 ? byte_ids_[static_cast<unsigned char>(character[0])] : by_surface_.find(character);
    if (id >= 0) {
      scratch.symbols.push_back(id);
    } else if (!add_fallback_bytes(character, scratch.symbols)) {
      if (unk_ >= 0 && !(after_unk && fuse_unk_)) scratch.symbols.push_back(unk_);
      after_unk = true;
      continue;
    }
    after_unk = false;
  }
}

bool BpeModel::add_fallback_bytes(std::string_view character, std::vector<int32_t>& symbols) const {
  const auto id_of = [&](char byte) { return fallback_ids_[static_cast<unsigned char>(byte)]; };
  if (std::any_of(character.begin(), character.end(), [&](char byte) { return id_of(byte) < 0; })) return false;
  for (const char byte : character) symbols.push_back(id_of(byte));
  return true;
}

void BpeModel::merge_short(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& ranks = scratch.ranks;  // of the pair (i, i + 1)
  ranks.resize(symbols.size() - 1);
  for (size_t i = 0; i < ranks.size(); ++i) ranks[i] = rank_of(symbols[i], symbols[i + 1]);
  while (!ranks.empty()) {
    const auto lowest = std::min_element(ranks.begin(), ranks.end());
    if (*lowest == kNoRank) return;
    const auto at = static_cast<size_t>(lowest - ranks.begin());
    symbols[at] = find_pair(symbols[at], symbols[at + 1])->result;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(at) + 1);
    ranks.erase(lowest);
    if (at > 0) ranks[at - 1] = rank_of(symbols[at - 1], symbols[at]);
    if (at < ranks.size()) ranks[at] = rank_of(symbols[at], symbols[at + 1]);
  }
}

// n log n for a word of n symbols: a heap of (rank, position) over a linked list; entries whose pair has changed are skipped when they come up.
void BpeModel::merge_long(Scratch& scratch) const {
  std::vector<int32_t>& symbols = scratch.symbols;
  std::vector<int32_t>& next = scratch.next;
  std::vector<int32_t>& previous = scratch.previous;
  std::vector<uint32_t>& ranks = scratch.ranks;
  std::vector<uint64_t>& heap = scratch.heap;
  const size_t count = symbols.size();
  next.resize(count);
  previous.resize(count);
  ranks.assign(count, kNoRank);  // of the pair that starts at this symbol
  heap.clear();
  const auto update = [&](size_t at) {
    ranks[at] = next[at] < 0 ? kNoRank : rank_of(symbols[at], symbols[static_cast<size_t>(next[at])]);
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
    symbols[at] = find_pair(symbols[at], symbols[right])->result;
    ranks[right] = kNoRank;
    symbols[right] = -1;
    next[at] = next[right];
    if (next[at] >= 0) previous[static_cast<size_t>(next[at])] = static_cast<int32_t>(at);
    update(at);
    if (previous[at] >= 0) update(static_cast<size_t>(previous[at]));
  }
  std::erase(symbols, -1);
}

}  // namespace phiscope
