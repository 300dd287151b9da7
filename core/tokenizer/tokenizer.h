#pragma once
// Text to ids and back, equal to the publisher's tokenizer. Families: byte-level BPE (GPT-2, cl100k, o200k splits) and SentencePiece-style
// BPE with byte fallback (Llama).

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace phiscope {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false, lstrip = false, rstrip = false, normalized = false, single_word = false;
};

enum class Specials : uint8_t {
  parse,    // special tokens inside the text become their ids
  as_text,  // the text is corpus text: "<unk>" is five characters
};

/// Ids to text as they come. The pieces of push() and finish() joined are decode() of all ids. Not thread-safe; must not outlive its tokenizer.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  virtual std::string push(int32_t id) = 0;
  /// What was held back; a new text may start after it.
  virtual std::string finish() = 0;
};

/// Immutable; thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// A folder's tokenizer.json, tokenizer.model, .tiktoken (with the files beside it) or tokenizer.gguf, in this order; or a .gguf file's metadata.
  /// Errors: invalid_file naming file and key or offset; unsupported naming the component that is not known; not_found.
  static Result<std::shared_ptr<const Tokenizer>> load(const std::filesystem::path& folder);
  /// True when the folder has one of these files, or the path is a .gguf file.
  static bool is_in(const std::filesystem::path& folder);

  /// No BOS is added (see add_bos()). Ill-formed UTF-8 is replaced by U+FFFD first, as the publisher's library does.
  virtual std::vector<int32_t> encode(std::string_view text, Specials specials = Specials::parse) const = 0;
  /// Ids outside the vocabulary (padding rows) decode as nothing.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special = false) const = 0;
  /// The token as stored, for display ("▁Hello", "Ġthe", "<0x0A>"); empty for unknown ids.
  virtual std::string piece(int32_t id) const = 0;
  /// Raw bytes that one token adds in the middle of a text (for streaming); specials give their content.
  virtual std::string token_bytes(int32_t id) const = 0;

  /// For StreamDecoder, which also keeps the tokenizer alive.
  virtual std::unique_ptr<TokenStream> stream(bool skip_special) const = 0;

  virtual std::string kind() const = 0;         // "byte-level BPE", "SentencePiece BPE"
  virtual int32_t vocab_size() const = 0;       // largest id + 1, added tokens included
  virtual std::optional<int32_t> bos() const = 0;
  virtual std::optional<int32_t> eos() const = 0;
  virtual bool add_bos() const = 0;
  /// Union of config.json, generation_config.json and tokenizer_config.json.
  virtual std::vector<int32_t> stop_ids() const = 0;
  virtual const std::vector<AddedToken>& added_tokens() const = 0;
  virtual std::string chat_template() const = 0;  // empty = none
  virtual std::string hash() const = 0;           // identity of the tokenizer's files
};

/// Ids to text as they come, never half a character: bytes that may still become a character are held back until finish().
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special = true);
  ~StreamDecoder();
  std::string push(int32_t id);
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
  std::optional<std::string> tools{};  // JSON list of tools of a system message; formats without tools leave it out
};
/// Renders with the renderer of the template's family, chosen by the template itself. Errors: unsupported showing the template when it is not
/// known; invalid_argument when the model has none.
Result<std::string> render_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages, bool add_generation_prompt);

}  // namespace phiscope
