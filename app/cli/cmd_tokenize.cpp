#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/convert/artifact.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope::cli {
namespace {

struct Options {
  std::string model, text;
  std::filesystem::path file;
  bool lines = false, no_special = false;
};

/// A folder that holds only tokenizer files will do, so a model's own checks are not asked for.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::string& argument) {
  if (Tokenizer::is_in(argument)) return Tokenizer::load(argument);
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(argument));
  if (reference.kind == ModelReference::Kind::synthetic)
    return fail(ErrorCode::unsupported, "{} has random weights and no tokenizer; name a folder with a tokenizer", argument);
  return Tokenizer::load(reference.path);
}

Result<std::vector<std::string>> texts_of(const Options& options) {
  if (options.file.empty()) return std::vector<std::string>{options.text};
  PHISCOPE_ASSIGN(std::string content, read_file(options.file));
  if (!options.lines) return std::vector<std::string>{std::move(content)};
  std::vector<std::string> lines = split(content, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

Json to_json(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, const std::string& text) {
  const std::string decoded = tokenizer.decode(ids);
  Json pieces = Json::array();
  for (const int32_t id : ids) pieces.push_back(tokenizer.piece(id));
  return {{"ids", ids}, {"pieces", pieces}, {"text", decoded}, {"round_trip", decoded == text}};
}

void print_text(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, const std::string& text) {
  std::string pieces;
  for (const int32_t id : ids) pieces += fmt::format("{}{}", pieces.empty() ? "" : " | ", tokenizer.piece(id));
  print(fmt::format("{} ids: {}", ids.size(), fmt::join(ids, " ")));
  print(fmt::format("pieces: {}", pieces));
  const std::string decoded = tokenizer.decode(ids);
  print(decoded == text ? "round trip: equal" : fmt::format("round trip: differs, decodes to: {}", decoded));
}

Result<int> run(const Options& options, bool json) {
  PHISCOPE_ASSIGN(const auto tokenizer, load_tokenizer(options.model));
  PHISCOPE_ASSIGN(const auto texts, texts_of(options));
  const Specials specials = options.no_special ? Specials::as_text : Specials::parse;
  Json lines = Json::array();
  for (const std::string& text : texts) {
    const std::vector<int32_t> ids = tokenizer->encode(text, specials);
    if (json)
      lines.push_back(to_json(*tokenizer, ids, text));
    else
      print_text(*tokenizer, ids, text);
  }
  if (!json) return kExitDone;
  Json document;
  document["schema"] = "phiscope/tokenize/1";
  if (options.lines)
    document["lines"] = lines;
  else
    document.update(lines.front());
  print_json(document);
  return kExitDone;
}

}  // namespace

Action add_tokenize(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.add_option("MODEL", options->model, "Model, or a folder that holds tokenizer files")->required();
  CLI::Option_group* input = command.add_option_group("input", "What to encode");
  input->add_option("--text", options->text, "Text to encode");
  input->add_option("--file", options->file, "File that is encoded as one text");
  input->require_option(1);
  command.add_flag("--lines", options->lines, "With --file: one text per line");
  command.add_flag("--no-special", options->no_special, "Special tokens in the text are plain characters");
  return [options, &shared] { return run(*options, shared.json); };
}

}  // namespace phiscope::cli
