#include "core/convert/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

#include "core/tokenizer/scored_pieces.h"

namespace phiscope {
namespace {

// Split patterns that llama.cpp knows (src/llama-vocab.cpp, spelled there without (?i:)). The name says only that: its tokens are the file's.
struct PatternName {
  std::string_view pattern, pre;
  std::string_view difference = "";  // what llama.cpp does otherwise
};
constexpr PatternName kPatterns[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "gpt-2"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", "dbrx"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", "qwen2"},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "gpt-4o", "llama.cpp takes combining marks for no letters: it cuts words of Hindi, Thai and decomposed accents into other tokens"},
};

// Scores of tokens that no text is cut into, as llama.cpp's converter writes them.
constexpr float kAddedScore = -1000, kPaddingScore = -10000;

struct Rows {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<float> scores;
};

bool is_byte_piece(const std::string& piece) { return piece.size() == 6 && piece.starts_with("<0x") && piece.back() == '>'; }

/// Order of merging, as scores: 0 for the first. llama.cpp joins the neighbours whose joined piece has the highest score.
std::vector<float> scores_of(const TokenizerDefinition& tokenizer) {
  const size_t count = tokenizer.pieces.size();
  std::vector<uint32_t> ranks = tokenizer.piece_ranks;
  if (ranks.empty()) {
    ranks.assign(count, kNoRank);
    uint32_t next = 0;
    for (const BpeMerge& merge : tokenizer.merges) {
      uint32_t& rank = ranks[static_cast<size_t>(merge.result)];
      if (rank == kNoRank) rank = next++;
    }
  }
  // Pieces that nothing makes (characters) come after all others; their scores are never looked at.
  const uint32_t last = std::accumulate(ranks.begin(), ranks.end(), uint32_t{0}, [](uint32_t a, uint32_t b) { return b == kNoRank ? a : std::max(a, b); });
  std::vector<float> scores(count);
  for (size_t id = 0; id < count; ++id) scores[id] = -static_cast<float>(ranks[id] == kNoRank ? last + 1 : ranks[id]);
  return scores;
}

/// A list of merges says more than scores when pieces come out of the list in several places.
Status check_merges(const TokenizerDefinition& tokenizer, const std::string& where) {
  std::vector<bool> seen(tokenizer.pieces.size());
  int32_t current = -1;
  for (const BpeMerge& merge : tokenizer.merges) {
    if (merge.result != current && seen[static_cast<size_t>(merge.result)])
      return fail(ErrorCode::unsupported, "{}: its merges make '{}' in two places, which the scores of a GGUF cannot say", where,
                  tokenizer.pieces[static_cast<size_t>(merge.result)]);
    current = merge.result;
    seen[static_cast<size_t>(current)] = true;
  }
  return {};
}

Rows rows_of(const TokenizerDefinition& tokenizer, int64_t count) {
  const auto type = [](PieceType value) { return static_cast<int32_t>(value); };
  Rows rows;
  std::vector<float> scores = tokenizer.byte_level ? std::vector<float>(tokenizer.pieces.size()) : scores_of(tokenizer);
  for (size_t id = 0; id < static_cast<size_t>(count); ++id) {
    const bool is_padding = id >= tokenizer.pieces.size() || tokenizer.pieces[id].empty();
    rows.tokens.push_back(is_padding ? fmt::format("[PAD{}]", id) : tokenizer.pieces[id]);
    const bool is_byte = !is_padding && tokenizer.byte_fallback && is_byte_piece(rows.tokens.back());
    rows.types.push_back(type(is_padding ? PieceType::unused : is_byte ? PieceType::byte : PieceType::normal));
    rows.scores.push_back(is_padding ? kPaddingScore : is_byte ? 0 : scores[id]);
  }
  for (const AddedToken& token : tokenizer.added) {
    rows.types[static_cast<size_t>(token.id)] = type(token.special ? PieceType::control : PieceType::user_defined);
    rows.scores[static_cast<size_t>(token.id)] = kAddedScore;
  }
  return rows;
}

Result<const PatternName*> pattern_name(const TokenizerDefinition& tokenizer, const std::string& where) {
  if (tokenizer.splits.size() == 1)
    for (const PatternName& row : kPatterns)
      if (row.pattern == tokenizer.splits[0].regex) return &row;
  return fail(ErrorCode::unsupported, "{}: llama.cpp has no name for its split pattern{}", where,
              tokenizer.splits.empty() ? "" : fmt::format(" {}", tokenizer.splits[0].regex));
}

void add_ids(const TokenizerParts& tokenizer, int64_t pad_id, GgufMetadata& metadata) {
  const TokenizerSettings& settings = tokenizer.settings;
  const auto add = [&](const char* key, int64_t id) {
    if (id >= 0) metadata.add_u32(fmt::format("tokenizer.ggml.{}_token_id", key), static_cast<uint32_t>(id));
  };
  std::optional<int32_t> eos = settings.eos;
  if (!eos && !settings.stop_ids.empty()) eos = settings.stop_ids.front();
  add("bos", settings.bos.value_or(-1));
  add("eos", eos.value_or(-1));
  // Of several stop ids GGUF holds two by name; llama.cpp finds <|end|>, <|im_end|> and <|endoftext|> by their text.
  for (const int32_t id : settings.stop_ids) {
    if (id == eos) continue;
    add("eot", id);
    break;
  }
  add("unknown", tokenizer.definition.unk);
  add("padding", pad_id);
  metadata.add_bool("tokenizer.ggml.add_bos_token", settings.add_bos);
  metadata.add_bool("tokenizer.ggml.add_eos_token", false);
  if (!settings.chat_template.empty()) metadata.add_text("tokenizer.chat_template", settings.chat_template);
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

constexpr std::array<std::string_view, 2> kPhi3Names{"phi-3", "phi3"};

bool is_phi3(const std::string& name) {
  return std::ranges::any_of(kPhi3Names, [lower = lower_case(name)](std::string_view part) { return lower.find(part) != std::string::npos; });
}

bool has_token(const TokenizerDefinition& tokenizer, std::string_view content) {
  return std::ranges::any_of(tokenizer.added, [&](const AddedToken& token) { return token.content == content; });
}

/// llama.cpp's rule for files named so: every special token but <unk>, <s>, <|endoftext|> takes the whitespace after it.
bool follows_phi3_rule(const TokenizerDefinition& tokenizer) {
  constexpr std::array<std::string_view, 4> kNeeded{"<unk>", "<s>", "</s>", "<|endoftext|>"};
  return !tokenizer.byte_level && std::ranges::all_of(kNeeded, [&](std::string_view content) { return has_token(tokenizer, content); }) &&
         std::ranges::any_of(tokenizer.added, [](const AddedToken& token) { return token.rstrip; });
}

}  // namespace

Status add_tokenizer(const TokenizerParts& tokenizer, int64_t rows, int64_t pad_id, GgufMetadata& metadata, std::vector<std::string>& notices) {
  const TokenizerDefinition& definition = tokenizer.definition;
  metadata.add_text("tokenizer.ggml.model", definition.byte_level ? "gpt2" : "llama");
  std::string_view pre = "default";
  if (definition.byte_level) {
    PHISCOPE_ASSIGN(const PatternName* pattern, pattern_name(definition, tokenizer.where));
    pre = pattern->pre;
    if (!pattern->difference.empty()) notices.emplace_back(pattern->difference);
    if (definition.merges.empty())
      return fail(ErrorCode::unsupported, "{}: it has no merges, which a GGUF needs; put the model's tokenizer.json beside it", tokenizer.where);
  } else {
    PHISCOPE_TRY(check_merges(definition, tokenizer.where));
  }
  metadata.add_text("tokenizer.ggml.pre", pre);
  const Rows table = rows_of(definition, rows);
  metadata.add_texts("tokenizer.ggml.tokens", table.tokens);
  if (!definition.byte_level) metadata.add_f32s("tokenizer.ggml.scores", table.scores);
  metadata.add_i32s("tokenizer.ggml.token_type", table.types);
  if (definition.byte_level) {
    std::vector<std::string> merges;
    for (const BpeMerge& merge : definition.merges)
      merges.push_back(definition.pieces[static_cast<size_t>(merge.left)] + " " + definition.pieces[static_cast<size_t>(merge.right)]);
    metadata.add_texts("tokenizer.ggml.merges", merges);
  } else if (definition.normalizer.empty() || definition.normalizer[0].kind != NormalizerStep::Kind::prepend) {
    metadata.add_bool("tokenizer.ggml.add_space_prefix", false);
  }
  add_ids(tokenizer, pad_id, metadata);
  const auto strips = std::ranges::count_if(definition.added, [](const AddedToken& token) { return token.lstrip || token.rstrip; });
  if (strips > 0 && !follows_phi3_rule(definition))
    notices.push_back(fmt::format("{} special tokens take the whitespace beside them, which llama.cpp leaves: give it prompts without such whitespace", strips));
  return {};
}

std::string gguf_model_name(const std::string& name, const TokenizerDefinition& tokenizer) {
  const bool wanted = follows_phi3_rule(tokenizer);
  if (is_phi3(name) == wanted) return name;
  if (wanted) return name + " (phi3)";
  // The tokens that llama.cpp's rule needs are not there, and it would refuse the file: "phi-3" becomes "phi 3".
  std::string out = name;
  for (const std::string_view part : kPhi3Names)
    for (size_t at = lower_case(out).find(part); at != std::string::npos; at = lower_case(out).find(part)) out.replace(at + 3, part.size() - 4, " ");
  return out;
}

}  // namespace phiscope
