// Tokenizers over real text and over texts that are hard for them, one thread. Bytes per CPU second of the thread.
//
// Usage: phiscope_tokenizer_bench [--benchmark_filter=REGEX], with the shared fixtures in ../shared/fixtures or $PHISCOPE_FIXTURES
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

#include "core/base/files.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

constexpr const char* kTokenizers[] = {"phi-2", "phi-3", "phi-3-mini", "phi-3-medium", "phi-tiny-moe", "phi-3-small", "phi-4", "phi-4-mini"};

void encode(benchmark::State& state, const std::shared_ptr<const Tokenizer>& tokenizer, const std::string& text) {
  size_t tokens = 0;
  for (auto _ : state) tokens = tokenizer->encode(text, Specials::as_text).size();
  state.counters["MB/s"] = benchmark::Counter(static_cast<double>(text.size()) * 1e-6, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["bytes/token"] = static_cast<double>(text.size()) / static_cast<double>(tokens);
}

void decode(benchmark::State& state, const std::shared_ptr<const Tokenizer>& tokenizer, const std::string& text) {
  const std::vector<int32_t> ids = tokenizer->encode(text, Specials::as_text);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids));
  state.counters["MB/s"] = benchmark::Counter(static_cast<double>(text.size()) * 1e-6, benchmark::Counter::kIsIterationInvariantRate);
}

std::string without_spaces(const std::string& text, size_t bytes) {
  std::string out;
  for (const char letter : text)
    if (letter != ' ' && letter != '\n' && out.size() < bytes) out += letter;
  return out;
}

void add_rows(const std::string& name) {
  const auto folder = test::fixture("tokenizers/" + name);
  const auto corpus = test::fixture("corpora/wikitext-2-test.txt");
  if (folder.empty() || corpus.empty()) return;
  const auto tokenizer = Tokenizer::load(folder);
  if (!tokenizer) {
    fmt::print(stderr, "{}\n", tokenizer.error().message);
    return;
  }
  static const std::string text = *read_file(corpus);
  const auto add = [&](const std::string& what, const std::string& content) {
    benchmark::RegisterBenchmark(fmt::format("{}/{}", name, what).c_str(), [tokenizer = *tokenizer, content](benchmark::State& s) { encode(s, tokenizer, content); })->MinTime(0.5);
  };
  add("wikitext", text);
  for (const size_t kilobytes : {250, 1000}) {
    add(fmt::format("no_spaces_{}kB", kilobytes), without_spaces(text, kilobytes * 1000));
    add(fmt::format("one_letter_{}kB", kilobytes), std::string(kilobytes * 1000, 'a'));
  }
  benchmark::RegisterBenchmark(fmt::format("{}/decode", name).c_str(), [tokenizer = *tokenizer](benchmark::State& s) { decode(s, tokenizer, text); })->MinTime(0.3);
}

}  // namespace
}  // namespace phiscope

int main(int argc, char** argv) {
  for (const char* name : phiscope::kTokenizers) phiscope::add_rows(name);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
