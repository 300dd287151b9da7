#include "core/tokenizer/tokenizer.h"

#include <utility>

#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/companions.h"
#include "core/tokenizer/tokenizer_json.h"

namespace phiscope {
namespace {

// The largest published tokenizer.json has 34 MB.
constexpr uint64_t kMaxTokenizerBytes = uint64_t{1} << 28;

Status require_tokenizer_json(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / "tokenizer.json", ignored)) return {};
  if (!std::filesystem::is_directory(folder, ignored)) return fail(ErrorCode::not_found, "{}: there is no such folder", folder.string());
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename() != "tokenizer.model" && entry.path().extension() != ".tiktoken") continue;
    return fail(ErrorCode::unsupported, "{}: only tokenizer.json is supported; put the model's tokenizer.json beside it", entry.path().string());
  }
  return fail(ErrorCode::not_found, "{}: tokenizer.json is missing; a model folder has one", folder.string());
}

// Over the files that decide ids, text and prompts; generation defaults are not part of a tokenizer's identity.
Result<std::string> identity(const std::filesystem::path& folder, std::string_view tokenizer_json) {
  Hasher hasher;
  hasher.update(tokenizer_json);
  for (const char* name : {"tokenizer_config.json", "chat_template.jinja"}) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder / name, ignored)) continue;
    PHISCOPE_ASSIGN(const std::string text, read_file(folder / name));
    hasher.update(std::string_view(name));
    hasher.update(std::string_view(text));
  }
  return hasher.hex();
}

}  // namespace

// A file of another kind becomes a further loader that fills a TokenizerDefinition.
Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const std::filesystem::path& folder) {
  PHISCOPE_TRY(require_tokenizer_json(folder));
  const std::string where = (folder / "tokenizer.json").string();
  PHISCOPE_ASSIGN(const std::string text, read_file(where, kMaxTokenizerBytes));
  PHISCOPE_ASSIGN(TokenizerDefinition definition, read_tokenizer_json(text, where));
  PHISCOPE_ASSIGN(TokenizerSettings settings, read_companions(folder, definition));
  PHISCOPE_ASSIGN(settings.hash, identity(folder, text));
  PHISCOPE_ASSIGN(std::shared_ptr<const Tokenizer> tokenizer, BpeTokenizer::create(std::move(definition), std::move(settings), where));
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
