#include "core/tokenizer/rank_file.h"
#include "tests/fuzz/tokenizer_check.h"

using namespace phiscope;

// Only two published files are known as a whole; the pattern of one of them lets any ranks be used.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryLimit limit(size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto known = read_rank_file(text, "x.tiktoken"); !known) fuzz::check_error(known.error(), "x.tiktoken");
  auto pieces = read_ranks(text, "x.tiktoken");
  if (!pieces) {
    fuzz::check_error(pieces.error(), "x.tiktoken");
    return 0;
  }
  fuzz::use_tokenizer(define_ranked(*std::move(pieces), R"(\p{L}+|\s+|[^\s\p{L}]+)", "x.tiktoken"), "x.tiktoken");
  return 0;
}
