#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"

namespace phiscope::cli {
namespace {

struct Options {
  session::GenerateRequest request;
  std::string system, messages_path;
  bool greedy = false;
};

/// A JSON list of {"role": ..., "content": ...}.
Result<std::vector<ChatMessage>> read_messages(const std::string& path) {
  constexpr uint64_t kLimitBytes = uint64_t{1} << 26;
  PHISCOPE_ASSIGN(const Json list, read_json_file(path, kLimitBytes));
  if (!list.is_array()) return fail(ErrorCode::invalid_file, "{}: expected a list of messages, [{{\"role\": \"user\", \"content\": \"...\"}}]", path);
  std::vector<ChatMessage> messages;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}: message {}", path, i);
    PHISCOPE_ASSIGN(const std::string role, json_string(list[i], "role", where));
    PHISCOPE_ASSIGN(const std::string content, json_string(list[i], "content", where));
    messages.push_back({role, content});
  }
  return messages;
}

Result<session::GenerateRequest> request_of(const Options& options) {
  session::GenerateRequest request = options.request;
  if (!options.messages_path.empty()) {
    PHISCOPE_ASSIGN(request.messages, read_messages(options.messages_path));
  }
  if (!options.system.empty()) request.messages.insert(request.messages.begin(), ChatMessage{"system", options.system});
  if (!request.messages.empty()) request.chat = true;
  if (request.prompt.empty() && request.messages.empty()) return fail(ErrorCode::invalid_argument, "the prompt is empty; write some text");
  return request;
}

Json document_of(const session::GenerateResult& result) {
  Json document;
  document["schema"] = "phiscope/generate/1";
  document["ids"] = result.ids;
  document["text"] = result.text;
  document["stop_reason"] = result.stop_reason;
  document["prompt_tokens"] = result.prompt_tokens;
  document["timings"] = {{"load_s", result.load_s},
                         {"prefill_s", result.prefill_s},
                         {"decode_s", result.decode_s},
                         {"prefill_tokens_per_s", result.prefill_tokens_per_s},
                         {"decode_tokens_per_s", result.decode_tokens_per_s}};
  document["ran"] = to_json(result.report);
  return document;
}

Result<int> run(const Options& options, const Shared& shared) {
  PHISCOPE_ASSIGN(const session::GenerateRequest request, request_of(options));
  ProgressLine line(shared.quiet);
  const auto on_text = [&](std::string_view text) {
    line.clear();
    if (shared.json) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
  PHISCOPE_ASSIGN(const session::GenerateResult result, session::generate(request, on_text, call_options(line)));
  line.clear();
  if (!shared.json) print("");
  print_notices(result.report, shared);
  if (shared.json)
    print_json(document_of(result));
  else if (!shared.quiet)
    print_note(fmt::format("{} prompt tokens at {:.1f} tok/s, {} new tokens at {:.1f} tok/s, stopped by {}", result.prompt_tokens,
                           result.prefill_tokens_per_s, result.ids.size(), result.decode_tokens_per_s, result.stop_reason));
  return result.stop_reason == "cancelled" ? kExitCancelled : kExitDone;
}

}  // namespace

Action add_generate(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  session::GenerateRequest& request = options->request;
  add_target_options(command, request.target);
  CLI::Option* prompt = command.add_option("--prompt", request.prompt, "Text to continue, or the next message of the user");
  command.add_flag("--chat", request.chat, "The prompt is a user's message in the model's chat format");
  command.add_option("--system", options->system, "System message of a chat")->type_name("TEXT");
  CLI::Option* messages = command.add_option("--messages", options->messages_path, "Chat so far: a JSON list of {\"role\", \"content\"}; --prompt is the next message")
                              ->type_name("FILE");
  command.parse_complete_callback([prompt, messages] {
    if (prompt->count() == 0 && messages->count() == 0) throw CLI::RequiredError("--prompt");
  });
  command.add_option("--max-new-tokens", request.max_new_tokens, "Stop after so many tokens")
      ->capture_default_str()->check(CLI::Range(1, 1 << 20))->type_name("N");
  CLI::Option* greedy = command.add_flag("--greedy", options->greedy, "Always the most likely token (the default)");
  command.add_option("--temperature", request.sampling.temperature, "Sample; 1 = the model's own distribution")
      ->check(CLI::Range(0.0, 100.0))->excludes(greedy);
  command.add_option("--top-k", request.sampling.top_k, "Sample from the K most likely tokens")->check(CLI::Range(0, 1 << 20))->excludes(greedy);
  command.add_option("--top-p", request.sampling.top_p, "Sample from the smallest set with this probability")->check(CLI::Range(0.0, 1.0))->excludes(greedy);
  command.add_option("--min-p", request.sampling.min_p, "Drop tokens less probable than P times the most probable one")->check(CLI::Range(0.0, 1.0))->excludes(greedy);
  command.add_option("--repetition-penalty", request.sampling.repetition_penalty, "Divide the logits of tokens that were there already; 1 = no")
      ->check(CLI::Range(0.01, 100.0));
  command.add_option("--seed", request.sampling.seed, "Of the sampler")->excludes(greedy);
  return [options, &shared] { return run(*options, shared); };
}

}  // namespace phiscope::cli
