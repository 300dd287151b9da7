#include "core/tokenizer/tokenizer_json.h"
#include "tests/fuzz/tokenizer_check.h"

using namespace phiscope;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryLimit limit(size);
  fuzz::use_tokenizer(read_tokenizer_json({reinterpret_cast<const char*>(data), size}, "tokenizer.json"), "tokenizer.json");
  return 0;
}
