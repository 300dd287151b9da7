#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/token_view.h"

namespace phiscope::cli {
namespace {

/// A piece of text on one line.
std::string shown(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out;
}

Json document_of(const bench::TokenPlace& place) {
  Json json{{"p", place.p_target}, {"top", Json::array()}};
  for (const bench::TokenChance& chance : place.top) json["top"].push_back({{"id", chance.id}, {"p", chance.p}, {"text", chance.text}});
  return json;
}

Json document_of(const session::TokensResult& result) {
  Json document{{"schema", "phiscope/tokens/1"}, {"run_id", result.run_id}, {"model", result.model}, {"recipe", result.recipe},
                {"backend", result.backend}, {"text", result.text}, {"by", result.by}, {"positions", result.positions}, {"tokens", Json::array()},
                {"notices", result.notices}};
  for (const session::WorstToken& token : result.worst)
    document["tokens"].push_back({{"window", token.window}, {"position", token.position}, {"id", token.candidate.target},
                                  {"before", token.candidate.before}, {"token", token.candidate.word}, {"after", token.candidate.after},
                                  {"kld", token.kld}, {"nll", token.nll}, {"nll_reference", token.nll_reference}, {"delta_p", token.delta_p},
                                  {"same_top1", token.same_top1}, {"reference", document_of(token.reference)}, {"candidate", document_of(token.candidate)}});
  return document;
}

std::string chances(const bench::TokenPlace& place, size_t count) {
  std::string line;
  for (size_t i = 0; i < std::min(count, place.top.size()); ++i)
    line += fmt::format("{}'{}' {:.3f}", i == 0 ? "" : "  ", shown(place.top[i].text), place.top[i].p);
  return line;
}

constexpr size_t kShown = 5;  // of the ten that JSON has

void print_text(const session::TokensResult& result) {
  print(fmt::format("The {} positions of {} where {} is worst by {} ({}, {}); [brackets] hold the token that follows", result.worst.size(),
                    result.positions, result.recipe, result.by, result.model, result.text));
  size_t number = 0;
  const size_t width = std::max<size_t>(result.recipe.size(), 4);
  for (const session::WorstToken& token : result.worst) {
    print("");
    print(fmt::format("{:2}  KLD {:.4g}  p {:.4f} -> {:.4f}  window {}, position {}{}", ++number, token.kld, token.reference.p_target,
                      token.candidate.p_target, token.window, token.position, token.same_top1 ? "" : "  another first choice"));
    print(fmt::format("    {}[{}]{}", shown(token.candidate.before), shown(token.candidate.word), shown(token.candidate.after)));
    print(fmt::format("    {:<{}}  {}", "fp32", width, chances(token.reference, kShown)));
    print(fmt::format("    {:<{}}  {}", result.recipe, width, chances(token.candidate, kShown)));
  }
}

}  // namespace

Action add_tokens(CLI::App& command, const Shared& shared) {
  auto request = std::make_shared<session::TokensRequest>();
  command.add_option("RUN", request->run, "Run: id, the beginning of an id, last, last~1 ...")->capture_default_str();
  command.add_option("--worst", request->worst, "How many positions")->capture_default_str()->check(CLI::Range(1, 10000));
  command.add_option("--by", request->by, "What is worst: kld, nll (its rise), dp (the probability lost)")->capture_default_str();
  command.add_option("--text", request->text, "Name of the suite's text (default: the first)");
  command.add_option("--around", request->around, "Tokens of text shown before the position")->capture_default_str()->check(CLI::Range(0, 512));
  add_threads_option(command, request->threads);
  add_db_option(command, request->database);
  return [request, &shared]() -> Result<int> {
    ProgressLine line(shared.quiet);
    PHISCOPE_ASSIGN(const session::TokensResult result, session::worst_tokens(*request, call_options(line)));
    line.clear();
    for (const std::string& notice : result.notices)
      if (!shared.quiet) print_note("note: " + notice);
    if (shared.json) print_json(document_of(result));
    else print_text(result);
    return kExitDone;
  };
}

}  // namespace phiscope::cli
