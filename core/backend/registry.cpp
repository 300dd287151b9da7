// Compiled into phiscope_backends, beside the table it searches.
#include "core/backend/backend.h"

namespace phiscope {

Result<const Backend*> find_backend(std::string_view name) {
  std::string known;
  for (const Backend* backend : backends()) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", backend->name());
    if (backend->name() != name) continue;
    if (const Support support = backend->available(); !support.ok)
      return fail(ErrorCode::unsupported, "backend '{}' cannot run here: {}", name, support.reason);
    return backend;
  }
  return fail(ErrorCode::invalid_argument, "backend '{}' does not exist; this build has: {}", name, known);
}

}  // namespace phiscope
