#include "core/base/json.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text, "a.json");
  return parsed ? "" : parsed.error().message;
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
  EXPECT_EQ(dump_line(*parse_json(R"({"z": [1, -2, 2.5, true, null], "a": {"k": "v"}})", "a.json")),
            R"({"z":[1,-2,2.5,true,null],"a":{"k":"v"}})");
}

TEST(ParseJson, ReadsValuesThatAreNotContainers) {
  EXPECT_EQ(*parse_json("3", "a.json"), 3);
  EXPECT_EQ(*parse_json("\"x\"", "a.json"), "x");
}

TEST(ParseJson, NamesFileAndByteOfASyntaxError) {
  EXPECT_EQ(error_of("{\"a\": }").substr(0, 37), "a.json: is not valid JSON: byte 7: sy");
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of("{} x"), "");
  EXPECT_NE(error_of("[1,]"), "");
  EXPECT_NE(error_of("\"\xFF\""), "");
}

TEST(ParseJson, RefusesKeysThatAppearTwice) {
  EXPECT_EQ(error_of(R"({"a": {"x": 1, "y": 2, "x": 3}})"), "a.json: is not valid JSON: key 'x' appears twice in one object");
  EXPECT_EQ(error_of(R"([{"x": 1}, {"x": 2}])"), "");
}

TEST(ParseJson, RefusesNestingBeyondItsLimit) {
  EXPECT_EQ(error_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(error_of(std::string(65, '[') + std::string(65, ']')), "a.json: is not valid JSON: is nested deeper than 64 levels");
  EXPECT_NE(error_of(std::string(1'000'000, '[')), "");
}

TEST(ParseJson, TakesNumbersBeyondSixtyFourBits) {
  const auto parsed = parse_json("[18446744073709551615, 1000000000000000019884624838656]", "a.json");
  ASSERT_TRUE(parsed);
  EXPECT_EQ((*parsed)[0].get<uint64_t>(), UINT64_MAX);
  EXPECT_DOUBLE_EQ((*parsed)[1].get<double>(), 1e30);
}

// nlohmann's own builder takes 10 s for this object: it searches linearly for every key.
TEST(ParseJson, ReadsAVocabularyOfTwoHundredThousandEntries) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += fmt::format("{}\"token{}\": {}", i == 0 ? "" : ",", i, i);
  const auto parsed = parse_json(text + "}", "vocab.json");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->size(), 200'000u);
}

TEST(JsonInt, AcceptsWholeNumbersInAnySpelling) {
  const Json object = *parse_json(R"({"a": 4096, "b": 4096.0, "c": -3, "d": 4.096e3})", "c");
  EXPECT_EQ(*json_int(object, "a", "c", 0, 5000), 4096);
  EXPECT_EQ(*json_int(object, "b", "c", 0, 5000), 4096);
  EXPECT_EQ(*json_int(object, "c", "c", -3, 0), -3);
  EXPECT_EQ(*json_int(object, "d", "c", 0, 5000), 4096);
}

TEST(JsonInt, SaysWhatIsWrong) {
  const Json object = *parse_json(R"({"s": "4", "f": 1.5, "n": null, "big": 18446744073709551615, "huge": 1e30, "minus": -1})", "c");
  const auto error = [&](std::string_view key) { return json_int(object, key, "config.json", 0, 100).error().message; };
  EXPECT_EQ(error("none"), "config.json: key 'none' is missing");
  EXPECT_EQ(error("s"), "config.json: key 's' must be a whole number, it is a string");
  EXPECT_EQ(error("f"), "config.json: key 'f' must be a whole number, it is 1.5");
  EXPECT_EQ(error("n"), "config.json: key 'n' must be a whole number, it is null");
  EXPECT_EQ(error("big"), "config.json: key 'big' is 18446744073709551615, it must be from 0 to 100");
  EXPECT_EQ(error("huge"), "config.json: key 'huge' is 1e+30, it must be from 0 to 100");
  EXPECT_EQ(error("minus"), "config.json: key 'minus' is -1, it must be from 0 to 100");
  EXPECT_EQ(json_int(Json::array(), "a", "c", 0, 1).error().message, "c: an object with key 'a' was expected, it is an array");
}

TEST(JsonInt, TakesTheDefaultForAbsentAndNullOnly) {
  const Json object = *parse_json(R"({"n": null, "s": "x"})", "c");
  EXPECT_EQ(*json_int_or(object, "none", 7, "c", 0, 9), 7);
  EXPECT_EQ(*json_int_or(object, "n", 7, "c", 0, 9), 7);
  EXPECT_FALSE(json_int_or(object, "s", 7, "c", 0, 9));
}

TEST(JsonNumber, TakesIntegersAndRefusesTheRest) {
  const Json object = *parse_json(R"({"i": 10000, "f": 1e-5, "s": "1"})", "c");
  EXPECT_EQ(*json_number(object, "i", "c"), 10000.0);
  EXPECT_EQ(*json_number_or(object, "f", 1, "c"), 1e-5);
  EXPECT_EQ(*json_number_or(object, "none", 0.5, "c"), 0.5);
  EXPECT_FALSE(json_number(object, "s", "c"));
  EXPECT_FALSE(json_number(Json{{"x", std::numeric_limits<double>::infinity()}}, "x", "c"));
}

TEST(JsonStringAndBool, CheckTheirTypes) {
  const Json object = *parse_json(R"({"s": "text", "b": true, "i": 1})", "c");
  EXPECT_EQ(*json_string(object, "s", "c"), "text");
  EXPECT_FALSE(json_string(object, "i", "c"));
  EXPECT_EQ(json_string_or(object, "i", "other"), "other");
  EXPECT_TRUE(*json_bool_or(object, "b", false, "c"));
  EXPECT_TRUE(*json_bool_or(object, "none", true, "c"));
  EXPECT_EQ(json_bool_or(object, "i", true, "c").error().message, "c: key 'i' must be true or false, it is a number");
}

TEST(DumpLine, IsOneLineWhateverTheText) { EXPECT_EQ(dump_line(Json{{"t", "a\nb\xFF"}}), "{\"t\":\"a\\nb\xEF\xBF\xBD\"}"); }

TEST(ReadJsonFile, NamesTheFile) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "x.json", "{\"a\": 1}"));
  EXPECT_EQ(*json_int(*read_json_file(folder / "x.json"), "a", "x", 0, 9), 1);
  ASSERT_TRUE(write_file(folder / "x.json", "{"));
  EXPECT_EQ(read_json_file(folder / "x.json").error().message.find((folder / "x.json").string()), 0u);
  EXPECT_EQ(read_json_file(folder / "none.json").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace phiscope
