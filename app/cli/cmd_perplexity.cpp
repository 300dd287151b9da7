#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"

namespace phiscope::cli {
namespace {

Json document_of(const session::PerplexityResult& result) {
  Json document;
  document["schema"] = "phiscope/perplexity/1";
  document["perplexity"] = result.perplexity;
  document["nll_mean"] = result.nll_mean;
  document["nll_standard_error"] = result.nll_standard_error;
  document["scored_tokens"] = result.scored_tokens;
  document["chunks"] = result.chunks;
  document["convention"] = {{"chunk", result.chunk}, {"stride", result.stride}, {"scored_from", result.scored_from}, {"bos", result.bos}};
  document["chunk_nll"] = result.chunk_nll;
  document["ran"] = to_json(result.report);
  return document;
}

void print_text(const session::PerplexityResult& result) {
  print(fmt::format("perplexity {:.4f} +/- {:.4f}", result.perplexity, result.perplexity * result.nll_standard_error));
  print(fmt::format("nll {:.6f} +/- {:.6f} nat per token, {} tokens scored in {} chunks of {} ({}, from position {}{})", result.nll_mean,
                    result.nll_standard_error, result.scored_tokens, result.chunks, result.chunk,
                    result.stride == 0 ? "llama.cpp's windows" : fmt::format("stride {}", result.stride), result.scored_from,
                    result.bos ? ", BOS first" : ""));
}

}  // namespace

Action add_perplexity(CLI::App& command, const Shared& shared) {
  auto request = std::make_shared<session::PerplexityRequest>();
  add_target_options(command, request->target);
  command.add_option("--file", request->file, "Text to score")->required()->type_name("TEXT");
  command.add_option("--chunk", request->chunk, "Tokens per window; the second half is scored")->capture_default_str()->check(CLI::Range(2, 1 << 20));
  command.add_option("--chunks", request->max_chunks, "Stop after so many windows (default: the whole text)")->check(CLI::Range(1, 1 << 30));
  command.add_option("--stride", request->stride, "Sliding windows instead: each moves on by so many tokens, which are scored")->check(CLI::Range(1, 1 << 20));
  command.add_flag("--layer-by-layer", request->layer_by_layer,
                   "Keep one layer's weights in memory at a time; happens by itself where the model does not fit");
  return [request, &shared]() -> Result<int> {
    ProgressLine line(shared.quiet);
    PHISCOPE_ASSIGN(const session::PerplexityResult result, session::perplexity(*request, call_options(line)));
    line.clear();
    print_notices(result.report, shared);
    if (shared.json)
      print_json(document_of(result));
    else
      print_text(result);
    return kExitDone;
  };
}

}  // namespace phiscope::cli
