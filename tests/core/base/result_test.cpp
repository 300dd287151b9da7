#include "core/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace phiscope {
namespace {

Result<std::unique_ptr<int>> half_of(int value) {
  if (value % 2 != 0) return fail(ErrorCode::invalid_argument, "{} is odd", value);
  return std::make_unique<int>(value / 2);
}

Result<int> quarter_of(int value) {
  PHISCOPE_ASSIGN(const auto half, half_of(value));
  PHISCOPE_ASSIGN(const auto quarter, half_of(*half));
  return *quarter;
}

TEST(Result, AssignPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter_of(12).value(), 3);
  EXPECT_EQ(quarter_of(6).error().message, "3 is odd");
  EXPECT_EQ(quarter_of(6).error().code, ErrorCode::invalid_argument);
}

TEST(ErrorCode, NamesSurviveTheRoundTrip) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(error_code_from_name(error_code_name(code)), code);
  }
  EXPECT_EQ(error_code_from_name("no such code"), ErrorCode::internal);
}

TEST(Error, ContextStandsInFrontAndKeepsTheCode) {
  const Error error = Error{ErrorCode::io, "disk is full"}.with_context("a.json");
  EXPECT_EQ(error.message, "a.json: disk is full");
  EXPECT_EQ(error.code, ErrorCode::io);
}

}  // namespace
}  // namespace phiscope
