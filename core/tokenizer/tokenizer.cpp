#include "core/tokenizer/tokenizer.h"

#include <optional>
#include <utility>

#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/tokenizer/added_token_json.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/companions.h"
#include "core/tokenizer/gguf_tokenizer.h"
#include "core/tokenizer/rank_file.h"
#include "core/tokenizer/sentencepiece_model.h"
#include "core/tokenizer/tokenizer_files.h"
#include "core/tokenizer/tokenizer_json.h"

namespace phiscope {
namespace {

// The largest published tokenizer.json has 34 MB.
constexpr uint64_t kMaxTokenizerBytes = uint64_t{1} << 28;

using Path = std::filesystem::path;

Result<TokenizerDefinition> define_json(const Path&, std::string_view text, std::string_view where) { return read_tokenizer_json(text, where); }

Result<TokenizerDefinition> define_sentencepiece(const Path& folder, std::string_view bytes, std::string_view where) {
  PHISCOPE_ASSIGN(TokenizerDefinition definition, read_sentencepiece_model(bytes, where));
  PHISCOPE_TRY(add_configured_tokens(folder, definition));
  return definition;
}

Result<TokenizerDefinition> define_ranks(const Path& folder, std::string_view text, std::string_view where) {
  PHISCOPE_ASSIGN(TokenizerDefinition definition, read_rank_file(text, where));
  PHISCOPE_TRY(add_configured_tokens(folder, definition));
  if (!definition.added.empty()) return definition;
  PHISCOPE_ASSIGN(const std::string type, read_model_type(folder));
  if (type != "phi3small") {
    return fail(ErrorCode::unsupported, "{}: its special tokens are not known; put a tokenizer_config.json with added_tokens_decoder beside it", where);
  }
  PHISCOPE_TRY(add_tokens(phi3_small_tokens(), where, definition));
  return definition;
}

// In order of preference. To add a file kind: a row here and a loader that fills a TokenizerDefinition.
struct FileKind {
  std::string_view name;       // of the file, or
  std::string_view extension;  // of any file
  Result<TokenizerDefinition> (*define)(const Path& folder, std::string_view content, std::string_view where);
};
constexpr FileKind kFileKinds[] = {{"tokenizer.json", "", define_json},
                                   {"tokenizer.model", "", define_sentencepiece},
                                   {"", ".tiktoken", define_ranks}};

struct FoundFile {
  Path path;
  const FileKind* kind = nullptr;
};

// The first name in order where several files have the extension.
std::optional<Path> find_kind(const Path& folder, const FileKind& kind) {
  std::error_code ignored;
  if (!kind.name.empty()) {
    const Path path = folder / kind.name;
    return std::filesystem::exists(path, ignored) ? std::optional(path) : std::nullopt;
  }
  std::optional<Path> first;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == kind.extension && (!first || entry.path() < *first)) first = entry.path();
  }
  return first;
}

Result<FoundFile> find_tokenizer_file(const Path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return fail(ErrorCode::not_found, "{}: there is no such folder", folder.string());
  for (const FileKind& kind : kFileKinds) {
    if (auto path = find_kind(folder, kind)) return FoundFile{*std::move(path), &kind};
  }
  return fail(ErrorCode::not_found, "{}: tokenizer.json is missing, and so are tokenizer.model and a .tiktoken file; a model folder has one of them",
              folder.string());
}

// Over the files that decide ids, text and prompts; generation defaults are not part of a tokenizer's identity.
Result<std::string> identity(const Path& folder, std::string_view content) {
  Hasher hasher;
  hasher.update(content);
  for (const char* name : {"tokenizer_config.json", "chat_template.jinja"}) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder / name, ignored)) continue;
    PHISCOPE_ASSIGN(const std::string text, read_file(folder / name));
    hasher.update(std::string_view(name));
    hasher.update(std::string_view(text));
  }
  return hasher.hex();
}

// The metadata of a GGUF that an artifact keeps.
std::optional<Path> vocabulary_file(const Path& folder) {
  std::error_code ignored;
  for (const FileKind& kind : kFileKinds)
    if (find_kind(folder, kind)) return std::nullopt;
  const Path path = folder / kGgufVocabularyName;
  return std::filesystem::exists(path, ignored) ? std::optional(path) : std::nullopt;
}

Result<TokenizerParts> read_gguf_file(const Path& path) {
  PHISCOPE_ASSIGN(const auto file, GgufFile::open(path));
  PHISCOPE_ASSIGN(GgufTokenizer read, read_gguf_tokenizer(*file));
  return TokenizerParts{.definition = std::move(read.definition), .settings = std::move(read.settings), .where = path.string()};
}

Result<TokenizerParts> read_folder(const Path& folder) {
  PHISCOPE_ASSIGN(const FoundFile file, find_tokenizer_file(folder));
  TokenizerParts parts{.definition = {}, .settings = {}, .where = file.path.string()};
  PHISCOPE_ASSIGN(const std::string content, read_file(parts.where, kMaxTokenizerBytes));
  PHISCOPE_ASSIGN(parts.definition, file.kind->define(folder, content, parts.where));
  PHISCOPE_ASSIGN(parts.settings, read_companions(folder, parts.definition));
  PHISCOPE_ASSIGN(parts.settings.hash, identity(folder, content));
  return parts;
}

}  // namespace

bool Tokenizer::is_in(const Path& path) {
  std::error_code ignored;
  return is_gguf(path) ? std::filesystem::exists(path, ignored) : vocabulary_file(path) || find_tokenizer_file(path).has_value();
}

Result<TokenizerParts> read_tokenizer_files(const Path& path) {
  if (is_gguf(path)) return read_gguf_file(path);
  if (const auto vocabulary = vocabulary_file(path)) return read_gguf_file(*vocabulary);
  return read_folder(path);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const Path& path) {
  PHISCOPE_ASSIGN(TokenizerParts parts, read_tokenizer_files(path));
  PHISCOPE_ASSIGN(std::shared_ptr<const Tokenizer> tokenizer, BpeTokenizer::create(std::move(parts.definition), std::move(parts.settings), parts.where));
  return tokenizer;
}

struct StreamDecoder::State {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<TokenStream> stream;
};

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special) : state_(std::make_unique<State>()) {
  state_->stream = tokenizer->stream(skip_special);
  state_->tokenizer = std::move(tokenizer);
}

StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::push(int32_t id) { return state_->stream->push(id); }

std::string StreamDecoder::finish() { return state_->stream->finish(); }

}  // namespace phiscope
