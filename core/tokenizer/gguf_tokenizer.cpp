#include "core/tokenizer/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/tokenizer/piece_map.h"
#include "core/tokenizer/scored_pieces.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

// How text is cut before BPE. To add one: a row; an unknown name is an error, because a guess gives other ids.
struct PreTokenizer {
  std::string_view name;
  std::string_view regex;
  SplitBehavior behavior;
  bool invert;
};
constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kCl100k =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr PreTokenizer kPreTokenizers[] = {
    {"phi-2", kGpt2, SplitBehavior::isolated, false},  {"gpt-2", kGpt2, SplitBehavior::isolated, false},
    {"dbrx", kCl100k, SplitBehavior::removed, true},   {"llama-bpe", kCl100k, SplitBehavior::removed, true},
    {"gpt-4o", kO200k, SplitBehavior::removed, true},
};

// What the published tokenizers say of added tokens and GGUF cannot hold; the first row that matches wins. `content` ends in '*' for a prefix.
enum class Family : uint8_t { phi3, phi4, phi4_mini };
struct TokenFlags {
  Family family;
  std::string_view content;
  bool special, lstrip, rstrip;
};
constexpr TokenFlags kFlags[] = {
    // Phi-3 from July 2024, 3.5, MoE. The files of April 2024 add BOS and strip nothing.
    {Family::phi3, "</s>", false, false, true},
    {Family::phi3, "<|endoftext|>", true, false, false},
    {Family::phi3, "<|*", true, false, true},
    {Family::phi4, "<|*", true, true, true},
    {Family::phi4, "<think>", true, true, true},
    {Family::phi4, "</think>", true, true, true},
    {Family::phi4_mini, "<|endoftext|>", true, false, false},
    {Family::phi4_mini, "<|endofprompt|>", true, false, false},
    {Family::phi4_mini, "<|tool*", false, false, true},
    {Family::phi4_mini, "<|/tool*", false, false, true},
    {Family::phi4_mini, "<|*", true, false, true},
};

// Texts that end an answer beside eos, as in the publisher's generation_config.json; <|assistant|> ends one for Phi-3 only.
constexpr std::array<std::string_view, 3> kStopTexts{"<|end|>", "<|im_end|>", "<|endoftext|>"};

bool fits(std::string_view pattern, std::string_view text) {
  return pattern.ends_with('*') ? text.starts_with(pattern.substr(0, pattern.size() - 1)) : text == pattern;
}

class Reader {
 public:
  explicit Reader(const GgufFile& file) : file_(file), where_(file.path().filename().string()) {}

  Result<GgufTokenizer> run() {
    PHISCOPE_ASSIGN(const auto model, file_.text(key("model")));
    if (!model) return fail(ErrorCode::not_found, "{}: key '{}' is missing; the file has no tokenizer", file_.path().string(), key("model"));
    is_scored_ = *model == "llama";
    if (!is_scored_ && *model != "gpt2")
      return fail(ErrorCode::unsupported, "{}: {} is {}; 'llama' (SentencePiece BPE) and 'gpt2' (byte-level BPE) are supported", where_, place("model"), shown(*model));
    PHISCOPE_TRY(read_tokens());
    PHISCOPE_TRY(read_special_ids());
    PHISCOPE_TRY(is_scored_ ? define_scored_vocabulary() : define_merged_vocabulary());
    drop_padding();
    set_flags();
    PHISCOPE_TRY(read_settings());
    return std::move(out_);
  }

 private:
  static std::string key(std::string_view name) { return std::string(kPrefix).append(name); }
  std::string place(std::string_view name) const {
    const GgufPair* pair = file_.find(key(name));
    return pair == nullptr ? fmt::format("key '{}'", key(name)) : fmt::format("key '{}' at offset {}", key(name), pair->offset);
  }

  Status read_tokens() {
    constexpr uint64_t kMost = static_cast<uint64_t>(kMaxTokenId) + 1;
    PHISCOPE_ASSIGN(texts_, file_.texts(key("tokens"), kMost));
    if (texts_.empty()) return fail(ErrorCode::invalid_file, "{}: {} is missing or empty", where_, place("tokens"));
    PHISCOPE_ASSIGN(scores_, file_.floats(key("scores"), kMost));
    PHISCOPE_ASSIGN(const std::vector<int64_t> types, file_.integers(key("token_type"), kMost));
    for (const auto& [name, size] : {std::pair<std::string_view, size_t>{"scores", scores_.size()}, {"token_type", types.size()}})
      if (size != 0 && size != texts_.size())
        return fail(ErrorCode::invalid_file, "{}: {} has {} elements, there are {} tokens", where_, place(name), size, texts_.size());
    if (is_scored_ && scores_.empty()) return fail(ErrorCode::invalid_file, "{}: {} is missing, a SentencePiece vocabulary has scores", where_, place("scores"));
    types_.assign(texts_.size(), PieceType::normal);
    for (size_t id = 0; id < types.size(); ++id) {
      if (types[id] < 1 || types[id] > 6)
        return fail(ErrorCode::invalid_file, "{}: {}: the type of token {} is {}; it must be between 1 and 6", where_, place("token_type"), id, types[id]);
      types_[id] = static_cast<PieceType>(types[id]);
    }
    return {};
  }

  Result<std::optional<int32_t>> special_id(std::string_view name) const {
    PHISCOPE_ASSIGN(const auto id, file_.integer(key(name), 0, static_cast<int64_t>(texts_.size()) - 1));
    return id ? std::optional(static_cast<int32_t>(*id)) : std::nullopt;
  }

  Status read_special_ids() {
    PHISCOPE_ASSIGN(out_.settings.bos, special_id("bos_token_id"));
    PHISCOPE_ASSIGN(out_.settings.eos, special_id("eos_token_id"));
    PHISCOPE_ASSIGN(unknown_, special_id("unknown_token_id"));
    for (const std::string_view name : {"eot_token_id", "eom_token_id"}) {
      PHISCOPE_ASSIGN(const auto id, special_id(name));
      if (id) stops_.insert(*id);
    }
    if (out_.settings.eos) stops_.insert(*out_.settings.eos);
    PHISCOPE_ASSIGN(const auto add_bos, file_.boolean(key("add_bos_token")));
    out_.settings.add_bos = add_bos.value_or(is_scored_) && out_.settings.bos.has_value();
    return {};
  }

  // Rows that only fill the embedding table up: "[PAD32011]", of the type unused, in files of April 2024 unknown.
  bool is_padding(size_t id) const {
    if (types_[id] == PieceType::unused) return true;
    return types_[id] == PieceType::unknown && texts_[id].starts_with("[PAD") && unknown_ != static_cast<int32_t>(id);
  }

  Status define_scored_vocabulary() {
    ScoredVocabulary vocabulary;
    PHISCOPE_ASSIGN(const auto prefix, file_.boolean(key("add_space_prefix")));
    vocabulary.add_space_prefix = prefix.value_or(true);
    vocabulary.pieces.reserve(texts_.size());
    for (size_t id = 0; id < texts_.size(); ++id) {
      PieceType type = is_padding(id) ? PieceType::unused : types_[id];
      if (unknown_ == static_cast<int32_t>(id)) type = PieceType::unknown;
      vocabulary.pieces.push_back({std::string(texts_[id]), scores_[id], type});
    }
    PHISCOPE_ASSIGN(out_.definition, define_scored(std::move(vocabulary), fmt::format("{}: {}", where_, place("tokens"))));
    return {};
  }

  Status define_merged_vocabulary() {
    TokenizerDefinition& definition = out_.definition;
    PHISCOPE_TRY(read_pre_tokenizer());
    definition.byte_level = definition.decoder.byte_level = true;
    PHISCOPE_ASSIGN(const auto prefix, file_.boolean(key("add_space_prefix")));
    definition.add_prefix_space = prefix.value_or(false);
    for (size_t id = 0; id < texts_.size(); ++id) {
      PHISCOPE_TRY(check_text(id));
      definition.pieces.emplace_back(is_padding(id) ? std::string_view{} : texts_[id]);
      const bool is_control = types_[id] == PieceType::control || types_[id] == PieceType::unknown;
      if (is_padding(id) || (!is_control && types_[id] != PieceType::user_defined)) continue;
      definition.added.push_back({.id = static_cast<int32_t>(id), .content = std::string(texts_[id]), .special = is_control});
    }
    return read_merges();
  }

  Status check_text(size_t id) const {
    const std::string_view text = texts_[id];
    if (text.empty()) return fail(ErrorCode::invalid_file, "{}: {}: token {} is empty", where_, place("tokens"), id);
    if (!is_valid_utf8(text)) return fail(ErrorCode::invalid_file, "{}: {}: token {} {} is not UTF-8", where_, place("tokens"), id, shown(text));
    if (types_[id] == PieceType::normal || text.size() <= kMaxAddedTokenBytes) return {};
    return fail(ErrorCode::unsupported, "{}: {}: token {} has {} bytes; {} are supported for a token of its kind", where_, place("tokens"), id, text.size(),
                kMaxAddedTokenBytes);
  }

  Status read_pre_tokenizer() {
    PHISCOPE_ASSIGN(const auto pre, file_.text(key("pre")));
    PHISCOPE_ASSIGN(const auto architecture, file_.text("general.architecture"));
    // Files from before this key: only Phi-1 to 2 had been converted with this kind of vocabulary.
    const std::string_view name = pre && !(*pre == "default" && architecture == "phi2") ? *pre : architecture == "phi2" ? "phi-2" : "";
    std::string known;
    for (const PreTokenizer& row : kPreTokenizers) {
      if (row.name == name) {
        out_.definition.splits.push_back({std::string(row.regex), row.behavior, row.invert});
        return {};
      }
      known.append(known.empty() ? "" : ", ").append(row.name);
    }
    return fail(ErrorCode::unsupported, "{}: {} is {}, which says how text is cut and is not known; known are {}", where_, place("pre"),
                pre ? shown(*pre) : "missing", known);
  }

  // "left right"; both in the byte alphabet, which has no space.
  Status read_merges() {
    TokenizerDefinition& definition = out_.definition;
    PHISCOPE_ASSIGN(const std::vector<std::string_view> merges, file_.texts(key("merges"), kMaxMerges));
    if (merges.empty()) return fail(ErrorCode::invalid_file, "{}: {} is missing or empty, byte-level BPE has merges", where_, place("merges"));
    PieceMap map(definition.pieces, definition.pieces.size());
    for (size_t id = 0; id < definition.pieces.size(); ++id) {
      const int32_t first = definition.pieces[id].empty() ? -1 : map.insert(static_cast<int32_t>(id));
      if (first >= 0) return fail(ErrorCode::invalid_file, "{}: {}: {} has the ids {} and {}", where_, place("tokens"), shown(texts_[id]), first, id);
    }
    definition.merges.reserve(merges.size());
    std::string joined;
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      const size_t space = merges[rank].find(' ');
      const auto left = merges[rank].substr(0, space), right = space == std::string_view::npos ? std::string_view{} : merges[rank].substr(space + 1);
      joined.assign(left).append(right);
      const BpeMerge merge{map.find(left), map.find(right), map.find(joined)};
      if (right.empty() || merge.left < 0 || merge.right < 0 || merge.result < 0)
        return fail(ErrorCode::invalid_file, "{}: {}: merge {} {} is not two tokens that make a third", where_, place("merges"), rank, shown(merges[rank]));
      definition.merges.push_back(merge);
    }
    return {};
  }

  // As a tokenizer.json, which has no such rows: their ids decode as nothing.
  void drop_padding() {
    TokenizerDefinition& definition = out_.definition;
    size_t end = definition.pieces.size();
    while (end > 0 && is_padding(end - 1)) --end;
    definition.pieces.resize(end);
    if (!definition.piece_ranks.empty()) definition.piece_ranks.resize(end);
  }

  bool has_added(std::string_view content) const {
    return std::ranges::any_of(out_.definition.added, [&](const AddedToken& token) { return token.content == content; });
  }

  std::optional<Family> family() const {
    if (is_scored_) return has_added("<|assistant|>") && !out_.settings.add_bos ? std::optional(Family::phi3) : std::nullopt;
    if (has_added("<|im_sep|>")) return Family::phi4;
    return has_added("<|endofprompt|>") && has_added("<|assistant|>") ? std::optional(Family::phi4_mini) : std::nullopt;
  }

  void set_flags() {
    const bool is_april = is_scored_ && out_.settings.add_bos;
    const std::optional<Family> known = family();
    for (AddedToken& token : out_.definition.added) {
      token.normalized = !token.special && !is_scored_;
      if (is_april && (token.content == "</s>" || token.content.starts_with("<|"))) token.special = true;
      if (!known) continue;
      for (const TokenFlags& row : kFlags) {
        if (row.family != *known || !fits(row.content, token.content)) continue;
        token.special = row.special;
        token.lstrip = row.lstrip;
        token.rstrip = row.rstrip;
        break;
      }
    }
  }

  Status read_settings() {
    for (const AddedToken& token : out_.definition.added) {
      const bool ends = std::ranges::find(kStopTexts, token.content) != kStopTexts.end() || (is_scored_ && token.content == "<|assistant|>");
      if (ends) stops_.insert(token.id);
    }
    out_.settings.stop_ids.assign(stops_.begin(), stops_.end());
    PHISCOPE_ASSIGN(const auto chat, file_.text("tokenizer.chat_template"));
    if (chat) out_.settings.chat_template = *chat;
    Hasher hasher;
    for (const GgufPair& pair : file_.pairs()) {
      if (!pair.key.starts_with("tokenizer.")) continue;
      hasher.update(std::string_view(pair.key));
      hasher.update(file_.value_bytes(pair));
    }
    out_.settings.hash = hasher.hex();
    return {};
  }

  const GgufFile& file_;
  const std::string where_;
  GgufTokenizer out_;
  bool is_scored_ = false;
  std::vector<std::string_view> texts_;
  std::vector<float> scores_;
  std::vector<PieceType> types_;
  std::optional<int32_t> unknown_;
  std::set<int32_t> stops_;
};

}  // namespace

Result<GgufTokenizer> read_gguf_tokenizer(const GgufFile& file) { return Reader(file).run(); }

std::string gguf_vocabulary(const GgufFile& file) {
  constexpr size_t kCounts = 8, kPairs = 24;  // magic and version, then tensors and pairs
  const std::span<const std::byte> header = file.header();
  uint64_t end = kPairs;
  for (const GgufPair& pair : file.pairs()) end = std::max(end, pair.offset + pair.bytes);
  std::string bytes(reinterpret_cast<const char*>(header.data()), end);
  std::memset(bytes.data() + kCounts, 0, sizeof(uint64_t));
  return bytes;
}

}  // namespace phiscope
