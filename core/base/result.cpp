#include "core/base/result.h"

#include <array>

namespace phiscope {
namespace {

struct CodeName {
  ErrorCode code;
  std::string_view name;
};

// To add a code: an enumerator and its row.
constexpr std::array kCodeNames{
    CodeName{ErrorCode::invalid_argument, "invalid_argument"},
    CodeName{ErrorCode::invalid_file, "invalid_file"},
    CodeName{ErrorCode::not_found, "not_found"},
    CodeName{ErrorCode::unsupported, "unsupported"},
    CodeName{ErrorCode::io, "io"},
    CodeName{ErrorCode::out_of_memory, "out_of_memory"},
    CodeName{ErrorCode::cancelled, "cancelled"},
    CodeName{ErrorCode::busy, "busy"},
    CodeName{ErrorCode::crashed, "crashed"},
    CodeName{ErrorCode::hung, "hung"},
    CodeName{ErrorCode::internal, "internal"},
};

}  // namespace

std::string_view error_code_name(ErrorCode code) {
  for (const CodeName& row : kCodeNames)
    if (row.code == code) return row.name;
  return "internal";
}

ErrorCode error_code_from_name(std::string_view name) {
  for (const CodeName& row : kCodeNames)
    if (row.name == name) return row.code;
  return ErrorCode::internal;
}

Error Error::with_context(std::string_view context) const {
  return Error{code, fmt::format("{}: {}", context, message)};
}

}  // namespace phiscope
