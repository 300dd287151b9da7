#pragma once
// Text in the theme's roles.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "app/gui/theme.h"

namespace phiscope::gui {

void text(std::string_view text);
void text_wrapped(std::string_view text);
void text_colored(const ImVec4& color, std::string_view text);
void text_muted(const Theme& theme, std::string_view text);
/// Wrapped, in the muted colour: help, captions, empty states.
void help_text(const Theme& theme, std::string_view text);
/// Wrapped, in the colour of problems.
void problem_text(const Theme& theme, std::string_view text);
void heading(const Theme& theme, std::string_view text);
/// A number in tabular digits.
void number(const Theme& theme, std::string_view text);
/// Shown beside the item before while the pointer rests on it; wrapped at a readable width.
void tooltip(const Theme& theme, std::string_view text);
/// What stands in an empty panel: a title, what to do, and a button; true when it is pressed. `button` may be null.
bool empty_state(const Theme& theme, std::string_view title, std::string_view what_to_do, const char* button);
/// A marker in the precision's colour and shape before its name.
void precision_mark(const Theme& theme, const SeriesStyle& style);

}  // namespace phiscope::gui
