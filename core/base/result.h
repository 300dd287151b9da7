#pragma once
// Errors are values: Result<T> holds a value or an Error whose message is one sentence for the user.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace phiscope {

enum class ErrorCode {
  invalid_argument,  // the caller or the user asked for something that has no meaning
  invalid_file,      // a file's content is damaged or contradicts itself
  not_found,         // a file, a name or a row does not exist
  unsupported,       // valid, but Phiscope (or this machine) cannot do it; the message says what can
  io,                // the operating system refused: full disk, permissions
  out_of_memory,     // refused before or failed at an allocation
  cancelled,         // the user asked to stop
  busy,              // somebody else holds what is needed
  crashed,           // a child process died
  hung,              // a child process was silent for too long and was killed
  internal,          // a broken promise inside Phiscope
};

/// Stable lower-case name, as stored in runs and sent over the worker protocol.
std::string_view error_code_name(ErrorCode code);
/// Inverse of error_code_name; unknown names are `internal`.
ErrorCode error_code_from_name(std::string_view name);

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // what is wrong, where, and what to do; no trailing newline

  /// "<context>: <message>", for callers that know the file or the step.
  Error with_context(std::string_view context) const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail(ErrorCode::io, "{}: disk is full", path);` converts to any Result.
template <class... Args>
tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace phiscope

#define PHISCOPE_CONCAT_INNER(a, b) a##b
#define PHISCOPE_CONCAT(a, b) PHISCOPE_CONCAT_INNER(a, b)

/// Returns the error of `expression` (a Result or Status) from the enclosing function.
#define PHISCOPE_TRY(expression)                                              \
  do {                                                                        \
    if (auto phiscope_status = (expression); !phiscope_status.has_value())    \
      return ::tl::unexpected<::phiscope::Error>(std::move(phiscope_status.error())); \
  } while (false)

/// `PHISCOPE_ASSIGN(auto file, MappedFile::open(path));` declares or assigns, or returns the error.
#define PHISCOPE_ASSIGN(target, expression) \
  PHISCOPE_ASSIGN_INNER(PHISCOPE_CONCAT(phiscope_result_, __LINE__), target, expression)
#define PHISCOPE_ASSIGN_INNER(result, target, expression)                     \
  auto result = (expression);                                                 \
  if (!result.has_value()) return ::tl::unexpected<::phiscope::Error>(std::move(result.error())); \
  target = std::move(*result)
