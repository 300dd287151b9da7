#include "core/model/model.h"
#include "tests/fuzz/fuzz.h"

using namespace phiscope;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryLimit limit(size);
  const auto json = parse_json({reinterpret_cast<const char*>(data), size}, "config.json");
  if (!json) {
    fuzz::check_error(json.error(), "config.json");
    return 0;
  }
  const auto config = parse_config(*json, "config.json");
  if (!config) {
    fuzz::check_error(config.error(), "config.json");
    return 0;
  }
  if (const auto plan = lower(*config); !plan || plan->parameters() <= 0) std::abort();  // what is accepted has a plan
  return 0;
}
