import XenstoreClient
import XenstoreProtocol

/// The lines that `xenstore-ls` prints for a key and what is below it.
struct TreeListing {
    /// Whole paths and values, for programs; else an indented tree, cut to the width.
    var isFlat: Bool
    var showsPermissions: Bool
    /// Columns that a line of the tree may have.
    var width: Int

    /// Columns from which on permissions stand in a tree.
    private static let permissionsColumn = 60
    /// ` = "..."`, for which room is kept.
    private static let cutLength = 8

    /// The line of a node, without its end.
    ///
    /// - Parameter depth: levels below the first that is printed.
    func line(for node: StoreTree.Node, depth: Int) -> [UInt8] {
        var line: [UInt8] = []
        var column = 0
        if isFlat {
            line += node.path.text.utf8
        } else {
            line += repeatElement(UInt8(ascii: " "), count: depth)
            line += cut(
                Array(node.path.text.utf8.suffix(while: { $0 != UInt8(ascii: "/") })),
                at: depth
            )
            column = line.count
        }
        switch node.value {
        case .failure:
            // Two ends of a line, as there.
            line += Array(":\n".utf8)
        case .success(let value):
            append(value, to: &line, &column)
        }
        if case .success(let permissions)? = node.permissions {
            line += Array("  (\(permissions))".utf8)
        }
        return line
    }

    private func append(_ value: [UInt8], to line: inout [UInt8], _ column: inout Int) {
        let text = EscapedText.escape(value)
        // The tool counts the value's bytes here, not those of the text.
        if !isFlat, width >= 0, width < column + value.count + Self.cutLength {
            line += Array(" = \"".utf8) + cut(text, at: column) + Array("\\...\"".utf8)
            return
        }
        line += Array(" = \"".utf8) + text + Array("\"".utf8)
        guard showsPermissions else { return }
        column += text.count + 5
        line.append(UInt8(ascii: " "))
        column += 1
        let end = isFlat ? 0 : min(Self.permissionsColumn, width)
        while column < end {
            line.append(column.isMultiple(of: 2) ? UInt8(ascii: " ") : UInt8(ascii: "."))
            column += 1
        }
    }

    /// What is left of a text that begins at a column: all, where there is no room at all.
    private func cut(_ text: [UInt8], at column: Int) -> ArraySlice<UInt8> {
        let room = width - Self.cutLength - column
        return room < 0 ? text[...] : text.prefix(room)
    }
}

extension BidirectionalCollection {
    /// The longest end whose elements all satisfy a condition.
    fileprivate func suffix(while isIncluded: (Element) -> Bool) -> SubSequence {
        var start = endIndex
        while start > startIndex, isIncluded(self[index(before: start)]) {
            formIndex(before: &start)
        }
        return self[start...]
    }
}
