// Every playlist that a page fetched is read again by two parsers that are not
// ours and not the player's, each at its strictest.
import hlsParser from 'hls-parser';
import m3u8parse from 'm3u8parse';
import { check } from './report.mjs';

/** @param {Map<string, string>} playlists text -> URL */
export function checkPlaylists(playlists) {
  check('playlists: enough were fetched', playlists.size > 20, playlists.size);
  const kinds = { multivariant: 0, media: 0, delta: 0, ended: 0 };
  const refused = [];
  for (const [text, url] of playlists) {
    if (text.includes('#EXT-X-STREAM-INF')) kinds.multivariant++;
    else if (text.includes('#EXT-X-SKIP')) kinds.delta++;
    else kinds.media++;
    if (text.includes('#EXT-X-ENDLIST')) kinds.ended++;
    const name = new URL(url).pathname.split('/').slice(3).join('/');
    try {
      readByHlsParser(text);
    } catch (e) {
      refused.push(`hls-parser, ${name}: ${e.message}`);
    }
    try {
      readByM3u8parse(text);
    } catch (e) {
      refused.push(`m3u8parse, ${name}: ${e.message}`);
    }
  }
  check('playlists: all accepted by hls-parser (strict) and m3u8parse', refused.length === 0, {
    ...kinds,
    refused: [...new Set(refused)].slice(0, 8),
  });
}

function readByHlsParser(text) {
  hlsParser.setOptions({ strictMode: true, silent: true });
  const playlist = hlsParser.parse(text);
  const listed = playlist.isMasterPlaylist ? playlist.variants : playlist.segments;
  if (listed.length === 0) throw new Error('nothing listed');
}

function readByM3u8parse(text) {
  const playlist = m3u8parse(text);
  const listed = playlist.master ? playlist.variants : playlist.segments;
  if (listed.length === 0) throw new Error('nothing listed');
}
