#include "core/tokenizer/sentencepiece_model.h"
#include "tests/fuzz/tokenizer_check.h"

using namespace phiscope;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryLimit limit(size);
  fuzz::use_tokenizer(read_sentencepiece_model({reinterpret_cast<const char*>(data), size}, "tokenizer.model"), "tokenizer.model");
  return 0;
}
