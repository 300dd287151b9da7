// Runs a target without libFuzzer: every file of a corpus, then a fixed number of mutations of them, the same ones every time.
//
// Usage: fuzz_TARGET CORPUS_FOLDER MUTATIONS

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using Random = std::mt19937_64;

size_t below(Random& random, size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(random() % limit); }

// Numbers at which sizes, counts and offsets go wrong.
constexpr uint64_t kNumbers[] = {0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, uint64_t{1} << 32, uint64_t{1} << 62, uint64_t{1} << 63, ~uint64_t{0}};

void put_number(std::string& text, size_t at, Random& random) {
  const uint64_t number = kNumbers[below(random, std::size(kNumbers))];
  const size_t width = size_t{1} << below(random, 4);
  if (at + width <= text.size()) std::memcpy(text.data() + at, &number, width);
}

void replace_digits(std::string& text, size_t at, Random& random) {
  const size_t from = text.find_first_of("0123456789", at);
  if (from == std::string::npos) return;
  const size_t to = text.find_first_not_of("0123456789", from);
  text.replace(from, (to == std::string::npos ? text.size() : to) - from, fmt::format("{}", kNumbers[below(random, std::size(kNumbers))]));
}

std::string mutate(std::string text, const std::vector<std::string>& corpus, Random& random) {
  for (size_t edits = 1 + below(random, 4); edits > 0 && !text.empty(); --edits) {
    const size_t at = below(random, text.size());
    switch (below(random, 9)) {
      case 0: text[at] = static_cast<char>(random()); break;
      case 1: text[at] = static_cast<char>(text[at] ^ (1 << below(random, 8))); break;
      case 2: text.erase(at, 1 + below(random, 24)); break;
      case 3: text.insert(at, text.substr(below(random, text.size()), below(random, 48))); break;
      case 4: text.insert(at, 1, "{}[]\",:\\-9e.=\n"[below(random, 14)]); break;
      case 5: put_number(text, at, random); break;
      case 6: replace_digits(text, at, random); break;
      case 7: {
        const std::string& other = corpus[below(random, corpus.size())];
        text = text.substr(0, at) + other.substr(below(random, other.size()));
        break;
      }
      default: text.resize(at); break;
    }
  }
  return text;
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// What crashed is left in a file, as libFuzzer does; it is removed when the input passes.
void run(const std::string& input, size_t& peak) {
  static const std::filesystem::path left = std::filesystem::current_path() / fmt::format("{}.input", ::program_invocation_short_name);
  std::ofstream(left, std::ios::binary) << input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  std::filesystem::remove(left);
  peak = std::max(peak, phiscope::fuzz::MemoryLimit::peak());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} CORPUS_FOLDER MUTATIONS\n", argv[0]);
    return 2;
  }
  const std::vector<std::string> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    fmt::print(stderr, "{} holds no input\n", argv[1]);
    return 1;
  }
  size_t peak = 0;
  for (const std::string& input : corpus) run(input, peak);
  Random random(20240823);
  const int mutations = std::atoi(argv[2]);
  for (int i = 0; i < mutations; ++i) run(mutate(corpus[below(random, corpus.size())], corpus, random), peak);
  fmt::print("{} inputs and {} mutations; at most {:.1f} MB of private memory at once\n", corpus.size(), mutations, static_cast<double>(peak) * 1e-6);
  return 0;
}
