// Chat prompts. A template is a program in Jinja; Phiscope knows the published ones by their text and renders them from a row of the table, so
// that a file cannot run anything and a template that is not known is not guessed.

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "core/base/hash.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope {
namespace {

// What stands around the content of one role; "*" is every role, and {role} in `open` is its name. Roles without a row are left out.
struct RoleForm {
  std::string_view role, open, close;
};

struct ChatFormat {
  std::string_view name;
  std::string_view template_hash;  // hash_text(canonical_template(...))
  std::string_view head;           // before the messages; all system messages are joined to it, each after a space
  std::span<const RoleForm> roles;
  std::string_view generation;
  bool starts_with_bos = false, ends_with_eos = false;  // eos only without generation prompt
  bool skips_empty_system = false, has_tools = false;
  bool goes_on_after_assistant = false;  // no generation prompt when the last message is the assistant's
  bool has_literal_head = false;   // text before the first tag of the template comes first; the hash is that of the rest
};

constexpr RoleForm kLineRoles[] = {{"system", "<|system|>\n", "<|end|>\n"},
                                   {"user", "<|user|>\n", "<|end|>\n"},
                                   {"assistant", "<|assistant|>\n", "<|end|>\n"}};
constexpr RoleForm kAnyLineRole[] = {{"*", "<|{role}|>\n", "<|end|>\n"}};
constexpr RoleForm kTurnRoles[] = {{"user", "<|user|>\n", "<|end|>\n<|assistant|>\n"}, {"assistant", "", "<|end|>\n"}};
constexpr RoleForm kAnyRole[] = {{"*", "<|{role}|>", "<|end|>"}};
constexpr RoleForm kImRoles[] = {{"system", "<|im_start|>system<|im_sep|>", "<|im_end|>"},
                                 {"user", "<|im_start|>user<|im_sep|>", "<|im_end|>"},
                                 {"assistant", "<|im_start|>assistant<|im_sep|>", "<|im_end|>"}};
constexpr RoleForm kImTurnRoles[] = {{"user", "<|im_start|>user<|im_sep|>", "<|im_end|>"},
                                     {"assistant", "<|im_start|>assistant<|im_sep|>", "<|im_end|>"}};
constexpr std::string_view kReasoningHead = "<|system|>Your name is Phi, an AI math expert developed by Microsoft.";

// To add a template: a row here, its rendering beside the goldens of tests/core/tokenizer. The error for an unknown template shows its hash.
constexpr ChatFormat kFormats[] = {
    {.name = "Phi-3-mini", .template_hash = "0850c77e9e7c37ed82fc89c04c54ba66", .head = "", .roles = kLineRoles, .generation = "<|assistant|>\n", .ends_with_eos = true},
    {.name = "Phi-3.5-mini", .template_hash = "ceaa31b1554ec3f5cd8aff863abd4554", .head = "", .roles = kLineRoles, .generation = "<|assistant|>\n", .ends_with_eos = true, .skips_empty_system = true},
    {.name = "Phi-tiny-MoE", .template_hash = "d3e3850fecb79dca0c87aeb494bd0c05", .head = "", .roles = kAnyLineRole, .generation = "<|assistant|>\n", .ends_with_eos = true},
    {.name = "Phi-3-medium", .template_hash = "0b9480710b6dc326874eeb59684ce46e", .head = "", .roles = kTurnRoles, .generation = ""},
    {.name = "Phi-3 of April 2024", .template_hash = "a2ff678db9487565551cbfd01fcc4680", .head = "", .roles = kTurnRoles, .generation = "", .starts_with_bos = true},
    {.name = "Phi-3-vision, Phi-3.5-vision", .template_hash = "307303d2c6a01fbaf4262e46cc81f0e0", .head = "", .roles = kAnyLineRole, .generation = "<|assistant|>\n", .goes_on_after_assistant = true},
    {.name = "Phi-3-small", .template_hash = "20e9cea1a7644d46d9ff60406e86ad00", .head = "", .roles = kAnyLineRole, .generation = "<|assistant|>\n", .starts_with_bos = true, .ends_with_eos = true},
    {.name = "Phi-4-reasoning, -plus and -vision", .template_hash = "c36d16af001c12470159b804d84ea0ca", .head = "", .roles = kImTurnRoles, .generation = "<|im_start|>assistant<|im_sep|>", .has_literal_head = true},
    {.name = "Phi-4", .template_hash = "32dc022941195ae770325d9540e2904f", .head = "", .roles = kImRoles, .generation = "<|im_start|>assistant<|im_sep|>"},
    {.name = "Phi-4-mini", .template_hash = "f4ba63d66919b6d41c0680782a7c9316", .head = "", .roles = kAnyRole, .generation = "<|assistant|>", .ends_with_eos = true, .has_tools = true},
    {.name = "Phi-4-mini-reasoning", .template_hash = "62bf598d3e6d801d1f2a6bc14198687d", .head = kReasoningHead, .roles = kAnyRole, .generation = "<|assistant|>", .ends_with_eos = true, .has_tools = true},
    {.name = "seeded test models", .template_hash = "df411aacd4924b79ca6d6575ecf3592a", .head = "", .roles = kAnyRole, .generation = "<|assistant|>"},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

// One spelling for the same template: in JSON or in a .jinja file, with \n as an escape or as a line end.
std::string canonical_template(std::string_view text) {
  std::string canonical;
  canonical.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\r\n") continue;
    const bool escape = text.substr(i, 2) == "\\n";
    canonical += escape ? '\n' : text[i];
    if (escape) ++i;
  }
  while (!canonical.empty() && canonical.back() == '\n') canonical.pop_back();
  return canonical;
}

// Where the first tag begins ("{" of "{{", "{%" or "{#"); the text before it is printed as it stands.
size_t literal_head_size(std::string_view text) {
  for (size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 1)) {
    if (at + 1 < text.size() && (text[at + 1] == '{' || text[at + 1] == '%' || text[at + 1] == '#')) return at;
  }
  return text.size();
}

std::string without_carriage_returns(std::string_view text) {
  std::string out(text);
  replace_all(out, "\r\n", "\n");
  return out;
}

const ChatFormat* find_format(std::string_view hash, bool has_literal_head) {
  const auto format = std::find_if(std::begin(kFormats), std::end(kFormats),
                                   [&](const ChatFormat& row) { return row.template_hash == hash && row.has_literal_head == has_literal_head; });
  return format == std::end(kFormats) ? nullptr : format;
}

std::string with_tools(const ChatFormat& format, const ChatMessage& message) {
  if (!format.has_tools || message.role != "system" || !message.tools) return message.content;
  return message.content + "<|tool|>" + *message.tools + "<|/tool|>";
}

void append_message(const ChatFormat& format, const ChatMessage& message, std::string& out) {
  const bool is_system = message.role == "system";
  if (is_system && (!format.head.empty() || (format.skips_empty_system && message.content.empty()))) return;
  const auto form = std::find_if(format.roles.begin(), format.roles.end(),
                                 [&](const RoleForm& known) { return known.role == "*" || known.role == message.role; });
  if (form == format.roles.end()) return;
  std::string open(form->open);
  if (form->role == "*") replace_all(open, "{role}", message.role);
  out.append(open).append(with_tools(format, message)).append(form->close);
}

void append_head(const ChatFormat& format, std::span<const ChatMessage> messages, std::string& out) {
  if (format.head.empty()) return;
  out += format.head;
  for (const ChatMessage& message : messages) {
    if (message.role == "system") out.append(" ").append(with_tools(format, message));
  }
  out += format.roles.front().close;
}

std::string text_of(const Tokenizer& tokenizer, std::optional<int32_t> id) { return id ? tokenizer.piece(*id) : std::string(); }

}  // namespace

Result<std::string> render_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages, bool add_generation_prompt) {
  const std::string text = tokenizer.chat_template();
  if (text.empty()) {
    return fail(ErrorCode::invalid_argument, "the model has no chat template; give it plain text, or a chat_template.jinja in its folder");
  }
  const std::string hash = hash_text(canonical_template(text));
  const size_t head_size = literal_head_size(text);
  const ChatFormat* format = find_format(hash, false);
  if (format == nullptr) format = find_format(hash_text(canonical_template(std::string_view(text).substr(head_size))), true);
  if (format == nullptr) {
    return fail(ErrorCode::unsupported, "the chat template {} is not one that Phiscope knows; give the model the rendered text instead of: {}", hash,
                text);
  }
  std::string out;
  if (format->starts_with_bos) out += text_of(tokenizer, tokenizer.bos());
  if (format->has_literal_head) out += without_carriage_returns(std::string_view(text).substr(0, head_size));
  append_head(*format, messages, out);
  for (const ChatMessage& message : messages) append_message(*format, message, out);
  if (add_generation_prompt) {
    const bool goes_on = format->goes_on_after_assistant && !messages.empty() && messages.back().role == "assistant";
    if (!goes_on) out += format->generation;
  } else if (format->ends_with_eos) {
    out += text_of(tokenizer, tokenizer.eos());
  }
  return out;
}

}  // namespace phiscope
