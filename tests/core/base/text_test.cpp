#include "core/base/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace phiscope {
namespace {

TEST(FormatBytes, HasThreeSignificantDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1000), "1.00 kB");
  EXPECT_EQ(format_bytes(1'234'567), "1.23 MB");
  EXPECT_EQ(format_bytes(12'345'678'901), "12.3 GB");
  EXPECT_EQ(format_bytes(999'499), "999 kB");
  EXPECT_EQ(format_bytes(999'500), "1.00 MB");
  EXPECT_EQ(format_bytes(9'996), "10.0 kB");
  EXPECT_EQ(format_bytes(std::numeric_limits<uint64_t>::max()), "18.4 EB");
}

TEST(FormatSeconds, ChoosesTheUnit) {
  EXPECT_EQ(format_seconds(0), "0 us");
  EXPECT_EQ(format_seconds(0.0000123), "12.3 us");
  EXPECT_EQ(format_seconds(0.0123), "12.3 ms");
  EXPECT_EQ(format_seconds(3.14), "3.1 s");
  EXPECT_EQ(format_seconds(59.96), "1 min 0 s");
  EXPECT_EQ(format_seconds(125), "2 min 5 s");
  EXPECT_EQ(format_seconds(3599.7), "1 h 0 min");
  EXPECT_EQ(format_seconds(7260), "2 h 1 min");
}

TEST(FormatNumber, KeepsSignificantDigitsWithoutExponent) {
  EXPECT_EQ(format_number(0), "0");
  EXPECT_EQ(format_number(3.14159), "3.142");
  EXPECT_EQ(format_number(1.5), "1.5");
  EXPECT_EQ(format_number(-0.000123456), "-0.0001235");
  EXPECT_EQ(format_number(123456789), "123456789");
  EXPECT_EQ(format_number(9.9996), "10");
  EXPECT_EQ(format_number(1e-7), "1e-07");
  EXPECT_EQ(format_number(2.5e12), "2.5e+12");
  EXPECT_EQ(format_number(39.3456, 6), "39.3456");
  EXPECT_EQ(format_number(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(format_number(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(NearestName, OffersOnlyWhatIsNear) {
  const std::vector<std::string> names{"fp32", "int8", "int4", "int4-asym"};
  EXPECT_EQ(nearest_name("int5", names), "int8");
  EXPECT_EQ(nearest_name("int4-asm", names), "int4-asym");
  EXPECT_EQ(nearest_name("mixed", names), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
}

TEST(Trim, RemovesWhiteSpaceAtBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n "), "");
}

TEST(Utf8, AcceptsTheLimitsOfEachLength) {
  for (const std::string_view text : {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
                                      "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_valid_utf8(text));
}

TEST(Utf8, RefusesOverlongSurrogatesAndBeyond) {
  for (const std::string_view text : {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\x80",
                                      "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"})
    EXPECT_FALSE(is_valid_utf8(text));
}

// The example of the Unicode standard, section 3.9, table 3-8 to 3-11.
TEST(SanitizeUtf8, ReplacesEachMaximalSubpartOnce) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(sanitize_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), bad + bad + bad + bad + bad + bad + bad + bad + "A");
  EXPECT_EQ(sanitize_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), bad + bad + bad + bad + bad + bad + bad + bad + "A");
  EXPECT_EQ(sanitize_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), bad + bad + bad + bad + bad + "A" + bad + bad + "B");
  EXPECT_EQ(sanitize_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), bad + bad + bad + bad + "A");
  EXPECT_EQ(sanitize_utf8("ma\xC3\xB1" "ana"), "ma\xC3\xB1" "ana");
}

}  // namespace
}  // namespace phiscope
